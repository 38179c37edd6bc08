package tenancy

import (
	"context"
	"log/slog"
	"slices"
)

// LogHandler returns a handler that adds to each record whom its context acts for, and passes it on to next: "tenant" with the
// tenant's ID, or under [Bypass] "bypass" with its reason. They stand at the top level of the record, also behind WithGroup.
// A record whose context names neither gets nothing: log with the methods that take a context, such as slog.InfoContext.
// Safe for concurrent use, if next is.
func LogHandler(next slog.Handler) slog.Handler { return &logHandler{next: next} }

// logHandler keeps the groups to itself: what next knows to be in a group, it would put the tenant in, too.
type logHandler struct {
	next   slog.Handler // has the attributes from before the first group
	groups []logGroup   // the outermost first; never changed, only copied
}

type logGroup struct {
	name  string
	attrs []slog.Attr
}

// Enabled implements slog.Handler.
func (h *logHandler) Enabled(ctx context.Context, level slog.Level) bool {
	return h.next.Enabled(ctx, level)
}

// Handle implements slog.Handler.
func (h *logHandler) Handle(ctx context.Context, record slog.Record) error {
	if len(h.groups) > 0 {
		record = h.grouped(record)
	} else {
		record = record.Clone() // the caller may share what Add would change
	}
	switch a := accessOf(ctx); {
	case a.mode == modeBypass:
		record.AddAttrs(slog.String("bypass", a.reason))
	case a.id != "":
		record.AddAttrs(slog.String("tenant", string(a.id)))
	}
	return h.next.Handle(ctx, record)
}

// grouped returns the record with its attributes in the groups. One slice holds all groups: each one's attributes and, last,
// the group inside it.
func (h *logHandler) grouped(record slog.Record) slog.Record {
	size := record.NumAttrs()
	for _, g := range h.groups {
		size += len(g.attrs) + 1
	}
	all := make([]slog.Attr, 0, size)
	var inner slog.Attr // the group made last
	for i, g := range slices.Backward(h.groups) {
		start := len(all)
		all = append(all, g.attrs...)
		if i == len(h.groups)-1 {
			record.Attrs(func(a slog.Attr) bool {
				all = append(all, a)
				return true
			})
		} else {
			all = append(all, inner)
		}
		inner = slog.Attr{Key: g.name, Value: slog.GroupValue(all[start:len(all):len(all)]...)}
	}
	out := slog.NewRecord(record.Time, record.Level, record.Message, record.PC)
	out.AddAttrs(inner)
	return out
}

// WithAttrs implements slog.Handler.
func (h *logHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	if len(attrs) == 0 {
		return h
	}
	if len(h.groups) == 0 {
		return &logHandler{next: h.next.WithAttrs(attrs)}
	}
	groups := slices.Clone(h.groups)
	last := &groups[len(groups)-1]
	last.attrs = append(slices.Clip(last.attrs), attrs...)
	return &logHandler{next: h.next, groups: groups}
}

// WithGroup implements slog.Handler.
func (h *logHandler) WithGroup(name string) slog.Handler {
	if name == "" {
		return h
	}
	return &logHandler{next: h.next, groups: append(slices.Clip(h.groups), logGroup{name: name})}
}
