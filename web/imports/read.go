package imports

import (
	"bufio"
	"errors"
	"io"
)

// A reader hands out the rows of a file, one after the other; io.EOF at the end.
// What is wrong with one row is kept in it; an error ends the file.
type reader interface {
	next() (*Record, error)
}

// bom is what some programs put before UTF-8.
const bom = "\xEF\xBB\xBF"

func newReader(f Format, body io.Reader, demo bool) (reader, error) {
	b := bufio.NewReaderSize(body, 64<<10)
	if head, err := b.Peek(len(bom)); err == nil && string(head) == bom {
		_, _ = b.Discard(len(bom)) // what was peeked is there
	}
	if f == CSV {
		return newCSV(b, demo)
	}
	return &jsonlReader{in: b, demo: demo}, nil
}

// errRowTooLong ends a row that would not fit into memory.
var errRowTooLong = errors.New("row too long")

// rowMeter fails when more is read than a row may hold: a CSV row whose quote is
// never closed would take the rest of the file.
type rowMeter struct {
	in  io.Reader
	row int64 // read since the last row began
}

func (m *rowMeter) Read(p []byte) (int, error) {
	if m.row > maxRow+csvAhead {
		return 0, errRowTooLong
	}
	n, err := m.in.Read(p)
	m.row += int64(n)
	return n, err
}

// csvAhead is how far encoding/csv may have read beyond a row.
const csvAhead = 8 << 10
