package archive

import "errors"

// The sentinels say what went wrong; test for them with errors.Is. No error of this package holds a value of a row or says
// anything about another tenant.
var (
	// ErrMalformed: what was read is no archive of this package, is cut off, or was changed.
	ErrMalformed = errors.New("archive: malformed archive")
	// ErrVersion: the archive has a format that this version does not read.
	ErrVersion = errors.New("archive: unknown format version")
	// ErrChecksum: the rows of a table are not those that were exported.
	ErrChecksum = errors.New("archive: wrong checksum")
	// ErrTooLarge: a row or the whole archive is larger than allowed; see [MaxRowBytes] and [MaxBytes].
	ErrTooLarge = errors.New("archive: too large")
	// ErrNotEmpty: the tenant has rows already; see [Replace] and [Merge].
	ErrNotEmpty = errors.New("archive: the tenant has rows")
	// ErrSchema: a table or a column is not known on one side; see [SkipUnknownColumns].
	ErrSchema = errors.New("archive: tables do not fit")
	// ErrValue: a column holds a value that its kind cannot express.
	ErrValue = errors.New("archive: value does not fit its column")
	// ErrKeyTaken: a key of the archive is taken; see [Renumber].
	ErrKeyTaken = errors.New("archive: key is taken")
	// ErrReference: a row refers to one that is not there.
	ErrReference = errors.New("archive: dangling reference")
	// ErrChanged: the database gave back other values than were written; see [AllowLoss].
	ErrChanged = errors.New("archive: the database changed values")
)
