package archive

import "time"

// Option configures the functions of this package; those that an option says nothing about ignore it.
type Option func(*options)

type options struct {
	version     string
	progress    func(table string, done, total int64)
	now         func() time.Time
	skipColumns bool
	skipTables  bool
	maxBytes    int64
	maxRow      int
	occupied    occupied
	renumber    bool
	allowLoss   bool
}

// occupied says what to do with the rows that a tenant has before an import.
type occupied uint8

const (
	refuseRows occupied = iota
	replaceRows
	mergeRows
)

func newOptions(opts []Option) *options {
	o := &options{now: time.Now, maxBytes: 64 << 30, maxRow: 64 << 20}
	for _, opt := range opts {
		opt(o)
	}
	return o
}

// report tells of progress.
func (o *options) report(table string, done, total int64) {
	if o.progress != nil {
		o.progress(table, done, total)
	}
}

// SchemaVersion is written into the manifest by [Export] and [Sum]: the version of the tables, for example of migrate's
// Runner.History. It is not interpreted; whoever imports compares it. Default none.
func SchemaVersion(v string) Option { return func(o *options) { o.version = v } }

// Progress sets a function that is told, on the goroutine of the caller, how many rows of a table are done: at the
// beginning of each table, about every 500 rows, and at its end. Default none.
func Progress(f func(table string, done, total int64)) Option {
	return func(o *options) { o.progress = f }
}

// Clock sets where the manifest's time comes from, for tests. Default time.Now.
func Clock(now func() time.Time) Option { return func(o *options) { o.now = now } }

// SkipUnknownColumns leaves columns out that the other side does not know: in [Export], [Sum] and [Copy] those of the database
// that no model has, and in [Import] those of the archive that the table has not. By default they are [ErrSchema], so that
// no value is lost in silence.
func SkipUnknownColumns() Option { return func(o *options) { o.skipColumns = true } }

// SkipUndeclaredTables leaves tables alone that have a tenant column and that no model declares. By default they are
// [ErrSchema] where tenants share tables: their rows would be missing in an archive, and stay when the tenant is erased.
func SkipUndeclaredTables() Option { return func(o *options) { o.skipTables = true } }

// MaxBytes bounds what [Import] reads, unpacked. More is [ErrTooLarge]. Default 64 GiB.
func MaxBytes(n int64) Option { return func(o *options) { o.maxBytes = n } }

// MaxRowBytes bounds one row as it is written in the archive; [Export] and [Import] hold a few of them in memory. More is
// [ErrTooLarge]. Default 64 MiB.
func MaxRowBytes(n int) Option { return func(o *options) { o.maxRow = n } }

// Replace has [Import] and [Copy] erase the tenant's rows first, in the same transaction: when it fails the old rows stay.
// By default a tenant with rows is [ErrNotEmpty].
func Replace() Option { return func(o *options) { o.occupied = replaceRows } }

// Merge has [Import] add rows to a tenant that has some. What the database gave back is then not compared with the archive.
// By default a tenant with rows is [ErrNotEmpty].
func Merge() Option { return func(o *options) { o.occupied = mergeRows } }

// Renumber has [Import] give new keys where a table has one auto-increment key, and rewrites what refers to them: foreign
// keys, join rows and polymorphic references of the models' relations. A column that is a foreign key only by its name
// keeps its value: declare the relation. The old and the new key of each row that others may refer to stay in memory, 16
// bytes. By default rows keep their keys, and one that is taken is [ErrKeyTaken].
func Renumber() Option { return func(o *options) { o.renumber = true } }

// AllowLoss has [Import] accept that the database gives back other values than were written, because its columns are
// narrower than those of the archive: datetime(3) of MySQL rounds microseconds. By default that is [ErrChanged].
func AllowLoss() Option { return func(o *options) { o.allowLoss = true } }
