package armour

// MaxExcess is how much an [Excess] keeps: 64 KiB.
const MaxExcess = 64 << 10

// Excess collects noise and never grows beyond [MaxExcess]: the first bytes are kept, the others counted. The zero value
// is ready to use. It is not safe for concurrent use.
type Excess struct {
	Kept    []byte
	Dropped int64 // bytes beyond MaxExcess
}

// Write takes all of p, and never fails.
func (e *Excess) Write(p []byte) (int, error) {
	room := min(MaxExcess-len(e.Kept), len(p))
	e.Kept = append(e.Kept, p[:room]...)
	e.Dropped += int64(len(p) - room)
	return len(p), nil
}
