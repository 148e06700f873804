package session

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"

	"github.com/seed354a1416/deliveryboy/box"
	"github.com/seed354a1416/deliveryboy/channel/wire"
	"github.com/seed354a1416/deliveryboy/registry"
)

// shakeHands brings the worker up to where it waits for a box. Nothing of a box has left when it fails, and the process
// has ended. The error says what a *box.DeliveryError wraps.
func (l *link) shakeHands(ctx context.Context) error {
	patience := newPatience(l.options.patience(), l.asker, l.process.interrupt)
	stop := context.AfterFunc(ctx, l.process.interrupt)
	defer stop()
	var err error
	options := wire.Options{Limits: wire.Limits{Message: l.options.MaxReply}, Noise: &l.excess, Trace: l.trace}
	preamble := l.options.preamble(l.warm, l.process.socket)
	if err = l.bring(patience); err == nil {
		l.wire, l.hello, err = wire.Offer(l.process.stdout, l.process.stdin, preamble, options)
	}
	if err == nil {
		err = l.compare()
	}
	if late := patience.stop(); err == nil && stop() && !late {
		l.asker.connected()
		return nil
	}
	return l.noAnswer(ctx, patience, err)
}

// noAnswer ends a transport that leads nowhere and says why.
func (l *link) noAnswer(ctx context.Context, patience *patience, err error) error {
	l.asker.stop() // or the transport would go on waiting for a password
	l.ending.gone = l.process.end(politely, 0)
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case patience.stop(), err == nil:
		err = fmt.Errorf("no answer within %s", patience.limit)
	}
	return l.asker.explain(l.handshakeError(err))
}

// compare makes sure that the far side is this program. Boxes are opened by the types of its registry.
func (l *link) compare() error {
	skew := &box.VersionSkewError{Local: l.expected(), Remote: l.hello.Build}
	if l.hello.Registry != registry.Fingerprint() {
		skew.Diff = registry.Differences(registry.Layouts(), l.hello.Functions)
		if len(skew.Diff) == 0 {
			skew.Diff = []string{"the registries differ"}
		}
		return skew
	}
	if skew.Local == skew.Remote || l.options.AnyBuild {
		return nil
	}
	if listed, err := l.listed(); listed || err != nil {
		return err
	}
	diff := fmt.Sprintf("this side runs the build %q, %s runs %q (%s, %s)", skew.Local, l.hello.Host, skew.Remote, l.hello.Go, l.system())
	if l.system() != runtime.GOOS+"/"+runtime.GOARCH {
		diff += ", which is for another system, and which no bundle of Deploy has"
	}
	skew.Diff = []string{diff}
	return skew
}

// exitData is the code of a worker that refuses what it is told.
const exitData = 65

// handshakeError says why no worker answered: what it said itself, or what the transport's exit and stderr tell.
func (l *link) handshakeError(err error) error {
	var skew *box.VersionSkewError
	var refused *wire.RefusedError
	switch {
	case errors.As(err, &skew):
		return skew
	case errors.As(err, &refused) && refused.Code == exitData:
		return &box.PackingError{Why: "the worker refused: " + refused.Why}
	case errors.As(err, &refused):
		return l.transportError(errors.New("the worker refused: " + refused.Why))
	}
	if errors.Is(err, io.ErrUnexpectedEOF) {
		err = errors.New("no worker answered")
	}
	if printed := lastPrinted(l.excess.prefix.Kept); printed != "" {
		err = fmt.Errorf("%w; it printed %q", err, printed)
	}
	return l.transportError(err)
}

// maxPrinted is how much an error shows of what came instead of a worker, in bytes.
const maxPrinted = 200

// lastPrinted is the last line that is no part of a text form: nologin and other shells say there why they end.
func lastPrinted(b []byte) string {
	b = bytes.TrimSpace(b)
	b = bytes.TrimSpace(b[bytes.LastIndexByte(b, '\n')+1:])
	if bytes.HasPrefix(b, []byte("=====")) {
		return ""
	}
	return strings.ToValidUTF8(string(b[:min(len(b), maxPrinted)]), "")
}
