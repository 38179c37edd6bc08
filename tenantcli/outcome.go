package tenantcli

import (
	"context"
	"errors"
	"fmt"

	"github.com/gorm-tenancy/tenancy"
	"github.com/gorm-tenancy/tenancy/catalog"
)

// outcome is what became of a run over tenants.
type outcome struct {
	Done   []tenancy.ID `json:"done"`
	Failed []failure    `json:"failed,omitempty"`
	Left   []tenancy.ID `json:"left,omitempty"`
}

type failure struct {
	Tenant tenancy.ID `json:"tenant"`
	Error  string     `json:"error"`
}

func (o *outcome) add(id tenancy.ID, err error) {
	if err == nil {
		o.Done = append(o.Done, id)
		return
	}
	o.Failed = append(o.Failed, failure{id, err.Error()})
}

// String is one line.
func (o *outcome) String() string {
	text := fmt.Sprintf("%d tenants done, %d failed", len(o.Done), len(o.Failed))
	if len(o.Left) > 0 {
		text += fmt.Sprintf(", %d left", len(o.Left))
	}
	return text
}

// finish prints the outcome of a run and returns the error for the exit code.
func (c *call) finish(ctx context.Context, o *outcome, err error) error {
	if c.json {
		err = errors.Join(err, c.document(o))
	} else {
		c.note("%s", o)
		for _, id := range o.Left {
			c.note("%s: not begun", id)
		}
	}
	var partial *catalog.PartialError
	if !errors.As(err, &partial) {
		return err
	}
	if cause := context.Cause(ctx); cause != nil {
		return fmt.Errorf("%s: %w", o, cause)
	}
	if partial.Err != nil {
		return fmt.Errorf("%s: %w", o, partial.Err)
	}
	return errors.New(o.String())
}
