package deploy

import (
	"bytes"
	"compress/gzip"
	"io"
	"time"
)

// A probe tells whether it pays to compress the program. On a way that is quick, to compress and to unpack takes longer
// than to send what that saves.
type probe struct {
	packing time.Duration // what a piece took to be compressed here
	saves   float64       // the share of it that need not travel then
	sent    time.Time     // when the piece began to leave; zero when it has arrived
}

// newProbe compresses a piece, to see what comes of that.
func newProbe(piece []byte, now func() time.Time) (*probe, error) {
	var out bytes.Buffer
	began := now()
	err := pack(&out, gzip.BestSpeed, func(to io.Writer) error {
		_, err := to.Write(piece)
		return err
	})
	return &probe{packing: now().Sub(began), saves: 1 - float64(out.Len())/float64(len(piece))}, err
}

// pays says so of a way on which the piece took a time to arrive. To unpack is taken to be as slow as to compress.
func (p *probe) pays(took time.Duration) bool { return p.saves*float64(took) > float64(2*p.packing) }
