package main

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/seed354a1416/deliveryboy/job"
	"github.com/seed354a1416/deliveryboy/job/store"
)

// countFlag is a number of more than nothing.
type countFlag struct {
	value int
	most  int
}

func (f *countFlag) String() string {
	if f.value == 0 {
		return ""
	}
	return strconv.Itoa(f.value)
}

func (f *countFlag) Type() string { return "n" }

func (f *countFlag) Set(s string) error {
	n, err := strconv.Atoi(s)
	if err != nil || n < 1 || n > f.most {
		return fmt.Errorf("write a whole number from 1 to %d", f.most)
	}
	f.value = n
	return nil
}

// The units of sizes, the largest first.
var units = []struct {
	name  string
	bytes int64
}{{"TiB", 1 << 40}, {"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}, {"TB", 1e12}, {"GB", 1e9}, {"MB", 1e6}, {"kB", 1e3}, {"B", 1}}

// sizeFlag is a number of bytes of more than nothing.
type sizeFlag struct{ bytes int64 }

func (f *sizeFlag) String() string {
	if f.bytes == 0 {
		return ""
	}
	return sizeText(f.bytes)
}

func (f *sizeFlag) Type() string { return "size" }

func (f *sizeFlag) Set(s string) error {
	number, unit := s, int64(1)
	for _, u := range units {
		if before, ok := strings.CutSuffix(s, u.name); ok {
			number, unit = strings.TrimSpace(before), u.bytes
			break
		}
	}
	n, err := strconv.ParseFloat(number, 64)
	bytes := n * float64(unit)
	switch {
	case err != nil || math.IsNaN(n) || math.IsInf(n, 0) || strings.ContainsAny(number, "xXpP_"):
		return errors.New("not a size; write one such as 500MiB or 1GiB")
	case bytes < 1:
		return errors.New("must be 1 byte or more; write a size such as 500MiB")
	case bytes >= math.MaxInt64:
		return errors.New("too large; at most 8388607TiB")
	}
	f.bytes = int64(bytes)
	return nil
}

// sizeText is a number of bytes for people.
func sizeText(n int64) string {
	for _, u := range units[:4] {
		if n >= u.bytes {
			return fmt.Sprintf("%.1f %s", float64(n)/float64(u.bytes), u.name)
		}
	}
	return fmt.Sprintf("%d B", n)
}

var streams = []string{job.Stdout.String(), job.Stderr.String(), job.Log.String()}

// streamFlag is one of the streams of a job's output; it may be given many times.
type streamFlag struct{ names []string }

func (f *streamFlag) String() string { return strings.Join(f.names, ",") }

func (f *streamFlag) Type() string { return "stream" }

func (f *streamFlag) Set(s string) error {
	if !slices.Contains(streams, s) {
		return errors.New("there is no such stream; write stdout, stderr or log")
	}
	f.names = append(f.names, s)
	return nil
}

func (f *streamFlag) wants(s job.Stream) bool {
	return len(f.names) == 0 || slices.Contains(f.names, s.String())
}

// offsetFlag is a place in the output of a job.
type offsetFlag struct{ offset job.Offset }

func (f *offsetFlag) String() string {
	if f.offset == (job.Offset{}) {
		return ""
	}
	return fmt.Sprintf("%d:%d", f.offset.Pos, f.offset.Data)
}

func (f *offsetFlag) Type() string { return "POS:DATA" }

func (f *offsetFlag) Set(s string) error {
	pos, data, _ := strings.Cut(s, ":")
	p, err := strconv.ParseInt(pos, 10, 64)
	d, err2 := strconv.ParseInt(data, 10, 64)
	if err != nil || err2 != nil || p < 0 || d < 0 || d > p {
		return errors.New("not a place in the output; write one that logs --verbose showed, such as 0:0")
	}
	f.offset = job.Offset{Pos: p, Data: d}
	return nil
}

// queueFlag is the name of a queue.
type queueFlag struct{ name string }

func (f *queueFlag) String() string { return f.name }

func (f *queueFlag) Type() string { return "queue" }

func (f *queueFlag) Set(s string) error {
	if err := store.CheckQueue(s); err != nil {
		return errors.New("1 to 64 letters, digits and the characters . _ @ + - are allowed, and no dot at first")
	}
	f.name = s
	return nil
}
