package deploy

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/seed354a1416/deliveryboy/box"
	"github.com/seed354a1416/deliveryboy/delivery"
	"github.com/seed354a1416/deliveryboy/deploy"
	"github.com/seed354a1416/deliveryboy/registry"
	"github.com/seed354a1416/deliveryboy/transport"
)

var swap = registry.Register("swap", swapFiles)

// races is how often the racer's victim calls.
func races() int {
	if n, err := strconv.Atoi(os.Getenv("DEPLOY_RACES")); err == nil {
		return n
	}
	return 100
}

// swapFiles is an attacker who owns the directory in which somebody else has a cache: again and again it puts a directory of
// its own in the cache's place, with a program under the right name, or a link to one, and then the cache again.
func swapFiles(ctx context.Context, shared, digest, marker string) (rounds int, err error) {
	cache, evil, link := shared+"/cache", shared+"/evil", shared+"/link"
	program := filepath.Join(evil, digest)
	err = errors.Join(os.Mkdir(evil, 0o700),
		os.WriteFile(program, fmt.Appendf(nil, "#!/bin/sh\necho foreign >>%s\n", marker), 0o600),
		os.Chmod(program, 0o755), os.Chmod(evil, 0o777), os.Symlink(evil, link)) //nolint:gosec // to be entered, and run
	if err != nil {
		return 0, err
	}
	fmt.Println("racing")
	for ; ctx.Err() == nil; rounds++ {
		for _, other := range []string{evil, evil, link, link} {
			if err := unix.Renameat2(unix.AT_FDCWD, cache, unix.AT_FDCWD, other, unix.RENAME_EXCHANGE); err == nil {
				time.Sleep(time.Duration(rounds*rounds%2000) * time.Microsecond) // at another moment each time
			}
		}
	}
	return rounds, nil
}

// TestARacerGetsNothingRun: an attacker who may rename the victim's cache, and put anything in its place, never has a byte of
// its own executed.
func TestARacerGetsNothingRun(t *testing.T) {
	st.NeedSudo(t)
	root := delivery.Once{Via: transport.Sudo{}, Program: st.Binary}
	marker := "/tmp/deploy-foreign"
	shared := "/tmp/deploy-shared"
	must(t, prepare.On(root)(Setup{
		Remove: []string{shared, marker},
		Dirs:   []Entry{{shared, "", 0o777, st.SecondUID}},
		Files:  []Entry{{marker, "", 0o666, st.UID}},
	}))
	ctx, cancel := context.WithCancel(t.Context())
	var racer sync.WaitGroup
	started := make(chan struct{}, 1)
	racer.Go(func() {
		attacker := delivery.Once{Via: transport.Sudo{User: st.Second}, Program: st.Binary, Stdout: signal{started}}
		if n, err := swap.On(attacker)(ctx, shared, digest(t), marker); n == 0 || ctx.Err() == nil {
			t.Errorf("the attacker ended: %d rounds, %v", n, err)
		}
	})
	defer racer.Wait()
	defer cancel()
	<-started
	good, refused := 0, 0
	for range races() {
		w, err := whoami.On(delivery.Once{Via: transport.Self{}, Deploy: deploy.Options{On: true, Cache: shared + "/cache"}})()
		var d *box.DeliveryError
		switch {
		case err == nil && w.UID == st.UID:
			good++
		case errors.As(err, &d) && d.Fate == box.NotStarted:
			refused++
		default:
			t.Fatalf("%+v %+v", w, err)
		}
		if text, err := os.ReadFile(marker); err != nil || len(text) > 0 {
			t.Fatalf("%q was run, %v", text, err)
		}
	}
	t.Logf("%d calls came through, %d were refused", good, refused)
}

// signal tells that something was written.
type signal struct{ c chan struct{} }

func (s signal) Write(p []byte) (int, error) {
	select {
	case s.c <- struct{}{}:
	default:
	}
	return len(p), nil
}

// digest is that of this program, as the cache has it.
func digest(t *testing.T) string {
	t.Helper()
	_, r := called(t, transport.Self{}, deploy.Options{Cache: t.TempDir() + "/c"})
	return filepath.Base(r.Path)
}
