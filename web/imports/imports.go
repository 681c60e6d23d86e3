package imports

import (
	"errors"
	"time"

	"github.com/google/uuid"

	"suitesign/wecom"
)

// Format is how a file is written.
type Format string

// The formats.
const (
	CSV   Format = "csv"
	JSONL Format = "jsonl"
)

// OnConflict says what becomes of a tenant that is there already.
type OnConflict string

// The ways.
const (
	Skip   OnConflict = "skip"   // it is left alone
	Update OnConflict = "update" // it takes over what the row tells
)

// State is where an import is.
type State string

// The states of an import.
const (
	Receiving State = "receiving" // the upload has not ended
	Pending   State = "pending"   // nobody has begun
	Running   State = "running"
	Done      State = "done"
	Cancelled State = "cancelled"
)

// RowState is what became of a row.
type RowState string

// The states of a row. Those of a tenant that moved in are tenant.Moved's.
const (
	RowPending   RowState = "pending"
	RowCreated   RowState = "created"
	RowUpdated   RowState = "updated"
	RowUnchanged RowState = "unchanged"
	RowSkipped   RowState = "skipped"
	RowFailed    RowState = "failed"
	RowCancelled RowState = "cancelled" // not worked off when the import was cancelled
)

// Counts are how many rows came to what.
type Counts struct {
	Total, Created, Updated, Unchanged, Skipped, Failed int
}

// Finished is how many rows there is nothing left to do for.
func (c Counts) Finished() int { return c.Created + c.Updated + c.Unchanged + c.Skipped + c.Failed }

func (c *Counts) add(s RowState) {
	switch s {
	case RowCreated:
		c.Created++
	case RowUpdated:
		c.Updated++
	case RowUnchanged:
		c.Unchanged++
	case RowSkipped:
		c.Skipped++
	case RowFailed:
		c.Failed++
	case RowPending, RowCancelled: // not finished
	}
}

// Import is a file that was taken in.
type Import struct {
	ID         uuid.UUID // version 7
	State      State
	Format     Format
	OnConflict OnConflict
	SHA256     []byte // of the file
	CreatedBy  string // the name of the key
	Counts     Counts
	CreatedAt  time.Time
	StartedAt  *time.Time
	FinishedAt *time.Time
}

// Row is what became of one row. What it held is not told.
type Row struct {
	Line     int // on which the row begins, counted from 1
	State    RowState
	SuiteID  wecom.SuiteID
	CorpID   wecom.CorpID
	TenantID *uuid.UUID // that it moved into
	Faults   []Fault
}

// Errors of the room.
var (
	// ErrNotFound is returned where no import has the id.
	ErrNotFound = errors.New("no such import")
	// ErrFinished is returned when an import is to be cancelled that is done.
	ErrFinished = errors.New("import is done")
	// ErrTooLarge is returned for a file with more bytes or rows than are taken in.
	ErrTooLarge = errors.New("file too large")
	// ErrBusy is returned while as many files are taken in as one replica does at once.
	ErrBusy = errors.New("too many uploads at once")
	// ErrFile is what every [FileError] is.
	ErrFile = errors.New("the file cannot be read")
)

// FileError is a fault for which the whole file is refused. It holds nothing of
// what stands in the file but the names of columns that look like such.
type FileError struct {
	Line   int // where; 0 = the file as a whole
	En, Zh string
}

// Error is the English sentence.
func (e *FileError) Error() string { return ErrFile.Error() + ": " + e.En }

// Unwrap makes every FileError an ErrFile.
func (e *FileError) Unwrap() error { return ErrFile }

// Fault is what is wrong with a field of a row. It never holds a value.
type Fault struct {
	Field string `json:"field,omitempty"` // as documented; "" = the row
	Code  string `json:"code"`
	En    string `json:"en"`
	Zh    string `json:"zh"`
}
