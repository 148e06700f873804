package plugin

// Held is a process that is held as a detached plugin's is.
type Held struct{ p *process }

// Hold holds a process.
func Hold(pid int, started uint64) (Held, error) {
	p, err := openProcess(pid, started)
	return Held{p}, err
}

func (h Held) Ended() <-chan struct{} { return h.p.ended }
func (h Held) Kill() error            { return h.p.kill() }
func (h Held) Close()                 { h.p.close() }

// StartOf is when a process started.
func StartOf(pid int) (uint64, error) { return startOf(pid) }
