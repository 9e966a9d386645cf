package main

// The lines of the protocol: taken apart, put together, and what goes wrong as an `error` line.

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strconv"
	"strings"
	"syscall"
)

const lineMax = 1 << 20

// readLine returns the next line; a verb that nobody knows for one too long; an error at the end or at a torn one.
func readLine(in *bufio.Reader) (string, error) {
	line, err := in.ReadSlice('\n')
	text := string(line)
	for err == bufio.ErrBufferFull {
		text = "line-over-1-MiB"
		_, err = in.ReadSlice('\n')
	}
	return strings.TrimSpace(text), err
}

// keys are the values of a line.
type keys map[string]string

func parse(text string) (verb string, k keys, err error) {
	k = keys{}
	fields := strings.Fields(text)
	for _, field := range fields[1:] {
		name, value, _ := strings.Cut(field, "=")
		plain, bad := url.PathUnescape(value)
		if bad != nil {
			err = failure{"unsupported", name + ": a % is not followed by two hex digits"}
		}
		k[name] = plain
	}
	return fields[0], k, err
}

// number is the value of a key; required if there is no default.
func (k keys) number(name string, least uint64, otherwise ...uint64) uint64 {
	text, given := k[name]
	if !given && len(otherwise) > 0 {
		return otherwise[0]
	}
	value, err := strconv.ParseUint(text, 10, 62)
	if err != nil || value < least {
		refuse("%s=%s is not a whole number of at least %d", name, text, least)
	}
	return value
}

func (k keys) oneOf(name, known string) string {
	if !contains(known, k[name]) {
		refuse("%s=%s is not one of %s", name, k[name], known)
	}
	return k[name]
}

// ids are those of a `go` or `collect`, and echo the key that repeats them.
func (k keys) ids() (ids []string, echo string) {
	name := "id"
	if k.several() {
		name = "ids"
	}
	return strings.Split(k[name], ","), name + "=" + escape(k[name])
}

func (k keys) several() bool {
	_, several := k["ids"]
	return several
}

// contains looks for an item of a list with commas between.
func contains(list, item string) bool {
	return item != "" && strings.Contains(","+list+",", ","+item+",")
}

// join lists values with commas between.
func join(values any) string {
	return strings.ReplaceAll(strings.Trim(fmt.Sprint(values), "[]"), " ", ",")
}

func escape(text string) string {
	var out strings.Builder
	for _, c := range []byte(text) {
		if c <= ' ' || c == '%' || c == 0x7f {
			fmt.Fprintf(&out, "%%%02X", c)
		} else {
			out.WriteByte(c)
		}
	}
	return out.String()
}

// difference writes a figure unless either reading failed.
func difference(out io.Writer, name string, from, to uint64) {
	if from != unknown && to != unknown {
		fmt.Fprintf(out, " %s=%d", name, to-from)
	}
}

// A failure is what an `error` line says: its kind and a message that names the next step. It is thrown as a
// panic, which attempt turns into the error of a worker or of a command.
type failure struct{ kind, message string }

func (f failure) Error() string { return f.message }

func refuse(format string, values ...any) {
	panic(failure{"unsupported", fmt.Sprintf(format, values...)})
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}

func attempt(job func()) (err error) {
	defer func() {
		switch r := recover().(type) {
		case nil:
		case error:
			err = r
		default:
			err = fmt.Errorf("%v", r)
		}
	}()
	job()
	return nil
}

// writeError answers a line that could not be done.
func writeError(out io.Writer, verb string, k keys, err error) {
	var f failure
	if !errors.As(err, &f) {
		f = failure{"internal", err.Error()}
		if errors.Is(err, syscall.EMFILE) {
			f.message += "; raise `ulimit -n`"
		}
	}
	io.WriteString(out, "error")
	for _, name := range []string{"id", "ids"} {
		if value, given := k[name]; given {
			fmt.Fprintf(out, " %s=%s", name, escape(value))
		}
	}
	if contains("prepare,go,collect", verb) {
		fmt.Fprintf(out, " phase=%s", verb)
	}
	fmt.Fprintf(out, " kind=%s msg=%s\n", f.kind, escape(f.message))
}
