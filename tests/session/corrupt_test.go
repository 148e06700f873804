package session

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"testing"
	"testing/iotest"

	"github.com/seed354a1416/deliveryboy/channel/wire"
)

// framesIn reads frames to the end, and gives each as text, and why there are no more.
func framesIn(r io.Reader) (frames []string, err error) {
	w := wire.NewBinary(r, io.Discard, wire.Options{})
	for {
		f, err := w.Next()
		if err != nil {
			return frames, err
		}
		frames = append(frames, fmt.Sprintf("%s %d %d %x %x", f.Type, f.Flags, f.Stream, f.Payload, f.Segments))
	}
}

// binaryPart is the recorded bytes after the handshake: the longest end of them that is frames and nothing else.
func binaryPart(t *testing.T, record []byte) []byte {
	t.Helper()
	for at := range record {
		if frames, err := framesIn(bytes.NewReader(record[at:])); errors.Is(err, io.EOF) && len(frames) > 3 {
			return record[at:]
		}
	}
	t.Fatalf("no frames in the %d bytes that were recorded", len(record))
	return nil
}

// TestEveryFlipAndCut takes the frames of a real exchange in each direction: whatever single bit is flipped, and
// wherever it is cut, the frames that are read are those that were sent, and then comes a typed error.
func TestEveryFlipAndCut(t *testing.T) {
	toWorker, toCaller := recorded(t)
	for name, record := range map[string][]byte{"to the worker": toWorker, "to the caller": toCaller} {
		t.Run(name, func(t *testing.T) {
			sent := binaryPart(t, record)
			want, err := framesIn(bytes.NewReader(sent))
			if !errors.Is(err, io.EOF) {
				t.Fatal(err)
			}
			check := func(what string, got []string, err error) {
				t.Helper()
				for i := range got {
					if i >= len(want) || got[i] != want[i] {
						t.Fatalf("%s: frame %d is another one: %.200s", what, i, got[i])
					}
				}
				var e *wire.FrameError
				if !errors.As(err, &e) && !(errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF)) {
					t.Fatalf("%s: an error without a type: %T %v", what, err, err)
				}
			}
			flips, silent := 0, 0
			for at := range sent {
				for bit := range 8 {
					sent[at] ^= 1 << bit
					got, err := framesIn(bytes.NewReader(sent))
					sent[at] ^= 1 << bit
					check(fmt.Sprintf("bit %d of byte %d flipped", bit, at), got, err)
					if flips++; err == io.EOF && len(got) == len(want) {
						silent++ // behind the last frame, or it changed nothing
					}
				}
				got, err := framesIn(bytes.NewReader(sent[:at]))
				check(fmt.Sprintf("cut at byte %d", at), got, err)
				if len(got) == len(want) && want[len(want)-1] != got[len(got)-1] {
					t.Fatalf("cut at byte %d: everything came", at)
				}
			}
			if silent > 0 {
				t.Errorf("of %d flips %d were not noticed", flips, silent)
			}
			if got, err := framesIn(iotest.OneByteReader(bytes.NewReader(sent))); len(got) != len(want) || err != io.EOF {
				t.Errorf("byte by byte: %d frames of %d, %v", len(got), len(want), err)
			}
			t.Logf("%d bytes in %d frames: %d flips and %d cuts", len(sent), len(want), flips, len(sent))
		})
	}
}
