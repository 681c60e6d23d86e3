package imports

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"suitesign/secret"
	"suitesign/tenant"
	"suitesign/wecom"
)

// Columns are the columns of a CSV file, and the fields of a JSON line.
var Columns = []string{"suite_id", "corp_id", "aliases", "name", "permanent_code", "secret", "agents", "domains", "authorized_at", "status"}

type csvReader struct {
	in      *csv.Reader
	meter   *rowMeter
	columns []string
	demo    bool
}

// newCSV reads the header. encoding/csv takes both ends of lines and skips empty
// ones; quotes that are not closed, or not doubled, are errors.
func newCSV(body io.Reader, demo bool) (*csvReader, error) {
	meter := &rowMeter{in: body}
	c := &csvReader{in: csv.NewReader(meter), meter: meter, demo: demo}
	c.in.FieldsPerRecord = -1 // a row with too few is that row's fault
	header, err := c.in.Read()
	if errors.Is(err, io.EOF) {
		return nil, &FileError{0, "The file is empty; its first line names the columns.", "文件为空；第一行须为列名。"}
	}
	if err != nil {
		return nil, c.broken(err)
	}
	for i, name := range header {
		if !slices.Contains(Columns, name) {
			return nil, unknownColumn(i + 1)
		}
		if slices.Contains(header[:i], name) {
			return nil, &FileError{1, "The column " + name + " occurs twice.", "列 " + name + " 重复出现。"}
		}
	}
	for _, name := range Columns[:2] {
		if !slices.Contains(header, name) {
			return nil, &FileError{1, "The column " + name + " is missing.", "缺少列 " + name + "。"}
		}
	}
	c.columns = header
	return c, nil
}

// unknownColumn names the column by its number: what stands there may be a row, with secrets.
func unknownColumn(n int) error {
	known := strings.Join(Columns, ", ")
	return &FileError{1, fmt.Sprintf("Column %d of the first line is not one of: %s. The names are case-sensitive and separated by commas.", n, known),
		fmt.Sprintf("第一行的第 %d 列不是以下列名之一：%s。列名区分大小写，以逗号分隔。", n, known)}
}

func (c *csvReader) broken(err error) error {
	var parse *csv.ParseError
	switch {
	case errors.Is(err, errRowTooLong):
		line, _ := c.in.FieldPos(0)
		return &FileError{line, fmt.Sprintf("The row that begins at line %d is larger than %d KiB; most likely a quote is not closed.", line, maxRow>>10),
			fmt.Sprintf("从第 %d 行开始的一行超过 %d KiB，通常是引号没有闭合。", line, maxRow>>10)}
	case errors.As(err, &parse):
		return &FileError{parse.Line, fmt.Sprintf("Line %d has a quote that is not closed or not doubled.", parse.Line),
			fmt.Sprintf("第 %d 行的引号没有闭合，或单元格内的引号没有写成两个。", parse.Line)}
	}
	return err // the upload broke off
}

func (c *csvReader) next() (*Record, error) {
	c.meter.row = 0
	cells, err := c.in.Read()
	if errors.Is(err, io.EOF) {
		return nil, io.EOF
	}
	if err != nil {
		return nil, c.broken(err)
	}
	r := &Record{}
	r.Line, _ = c.in.FieldPos(0)
	size := 0
	for _, cell := range cells {
		size += len(cell)
	}
	switch {
	case size > maxRow:
		r.fault(faultLong)
	case slices.ContainsFunc(cells, func(s string) bool { return !utf8.ValidString(s) }):
		r.fault(faultUTF8)
	case slices.ContainsFunc(cells, func(s string) bool { return strings.ContainsRune(s, 0) }):
		r.fault(faultNUL)
	case len(cells) != len(c.columns):
		r.fault(faultColumns)
	default:
		for i, cell := range cells {
			r.readCell(c.columns[i], unguard(cell), c.demo)
		}
	}
	return r, nil
}

// readCell reads what is not empty; an empty cell tells nothing.
func (r *Record) readCell(column, cell string, demo bool) {
	if cell == "" {
		return
	}
	switch column {
	case "suite_id":
		r.SuiteID = wecom.SuiteID(cell)
	case "corp_id":
		r.CorpID = wecom.CorpID(cell)
	case "name":
		r.Name = cell
	case "permanent_code":
		r.PermanentCode = secret.New(cell)
	case "secret":
		r.Secret = secret.New(cell)
	case "status":
		r.Status = tenant.Status(cell)
	case "authorized_at":
		r.parseTime(cell)
	case "aliases":
		for item := range items(cell) {
			r.Aliases = append(r.Aliases, wecom.CorpID(item))
		}
	case "agents":
		r.readAgentCell(cell)
	case "domains":
		r.readDomainCell(cell, demo)
	}
}

// items are what stands between semicolons.
func items(cell string) func(func(string) bool) {
	return func(yield func(string) bool) {
		for item := range strings.SplitSeq(cell, ";") {
			if item = strings.TrimSpace(item); item != "" && !yield(item) {
				return
			}
		}
	}
}

// readAgentCell reads 1000002;1000003=Orders, or the JSON that a line would have.
func (r *Record) readAgentCell(cell string) {
	if strings.HasPrefix(cell, "[") {
		r.readAgents([]byte(cell))
		return
	}
	r.Agents = []tenant.Agent{}
	for item := range items(cell) {
		number, name, _ := strings.Cut(item, "=")
		id, err := strconv.ParseInt(strings.TrimSpace(number), 10, 64)
		if err != nil {
			r.fault(faultAgent)
			return
		}
		r.Agents = append(r.Agents, tenant.Agent{ID: wecom.AgentID(id), Name: strings.TrimSpace(name)})
	}
}

// readDomainCell reads h5.example.com;app.example.com:8443|exact|allow_http, or the JSON that a line would have.
func (r *Record) readDomainCell(cell string, demo bool) {
	if strings.HasPrefix(cell, "[") {
		r.readDomains([]byte(cell), demo)
		return
	}
	for item := range items(cell) {
		host, options, _ := strings.Cut(item, "|")
		var d tenant.TrustedDomain
		var ok bool
		if d.Domain, ok = r.parseDomain(strings.TrimSpace(host), demo); !ok {
			return
		}
		for option := range strings.SplitSeq(options, "|") {
			switch strings.TrimSpace(option) {
			case "":
			case "exact":
				d.Exact = true
			case "allow_http":
				d.AllowHTTP = true
			default:
				r.fault(faultField("domains", "has a word behind | that is neither exact nor allow_http", "“|”之后只能是 exact 或 allow_http"))
				return
			}
		}
		r.Domains = append(r.Domains, d)
	}
}

// Spreadsheets run cells that begin like formulas. guard puts an apostrophe before
// such a cell, and before one that looks as if it had one; unguard takes it away.
func guard(cell string) string {
	if isFormula(strings.TrimLeft(cell, "'")) {
		return "'" + cell
	}
	return cell
}

func unguard(cell string) string {
	if rest, quoted := strings.CutPrefix(cell, "'"); quoted && isFormula(strings.TrimLeft(rest, "'")) {
		return rest
	}
	return cell
}

func isFormula(cell string) bool {
	return cell != "" && strings.ContainsRune("=+-@\t\r\n", rune(cell[0]))
}
