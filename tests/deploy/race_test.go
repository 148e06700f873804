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

// swapFiles is an attacker who owns the directory in which somebody else has a cache: again and again it moves the cache
// away and puts one of its own there, with a program under the right name; a link to one; and the old one again.
func swapFiles(ctx context.Context, shared, digest, marker string) (rounds int, err error) {
	cache, evil, away := shared+"/cache", shared+"/evil", shared+"/away"
	script := fmt.Sprintf("#!/bin/sh\necho foreign >>%s\n", marker)
	build := func(dir string) {
		_ = os.Mkdir(dir, 0o700)
		_ = os.WriteFile(filepath.Join(dir, digest), []byte(script), 0o755) //nolint:gosec // a program
		_ = os.Chmod(filepath.Join(dir, digest), 0o755)                     //nolint:gosec // as above
		_ = os.Chmod(dir, 0o777)                                            //nolint:gosec // to be entered
	}
	build(evil)
	fmt.Println("racing")
	for ; ctx.Err() == nil; rounds++ {
		_ = os.Rename(cache, away)
		switch rounds % 3 {
		case 0:
			build(cache)
		case 1:
			_ = os.Symlink(evil, cache)
		case 2: // nothing: the victim makes it
		}
		_ = os.Rename(cache, fmt.Sprintf("%s/old%d", shared, rounds%8))
		_ = os.RemoveAll(fmt.Sprintf("%s/old%d", shared, rounds%8))
		_ = os.Remove(cache)
		_ = os.Rename(away, cache)
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
