package process

import "io"

// A kept is a reader or writer of this side, for a process elsewhere, whose error stays here: as it is, and beside the
// state of the process, not in place of it.
type kept struct {
	r    *remote
	from io.Reader
	to   io.Writer
	name string // of the output

	deaf bool // the writer has failed
}

func (k *kept) Read(p []byte) (int, error) {
	n, err := k.from.Read(p)
	if err != nil && err != io.EOF { //nolint:errorlint // as io.Copy does
		k.r.mu.Lock()
		k.r.inErr = err
		k.r.mu.Unlock()
	}
	return n, err
}

// Write takes everything. After an error of the writer the far side is told to close the output, so that the program
// notices, and what still comes is dropped.
func (k *kept) Write(p []byte) (int, error) {
	if k.deaf {
		return len(p), nil
	}
	n, err := k.to.Write(p)
	if err == nil && n < len(p) {
		err = io.ErrShortWrite
	}
	if err != nil {
		k.deaf = true
		k.r.mu.Lock()
		if k.r.outErr == nil {
			k.r.outErr = err
		}
		k.r.mu.Unlock()
		k.r.p.stopped.Go(func() { _ = k.r.mute(k.name) }) // up to the end of the call
	}
	return len(p), nil
}

// keepErrors puts in the errors of this side's streams, if it is known how the process ended.
func (r *remote) keepErrors() {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case !r.state.known():
	case r.outErr != nil:
		r.err = r.outErr
	case r.err != nil && r.inErr != nil:
		r.err = r.inErr
	}
}
