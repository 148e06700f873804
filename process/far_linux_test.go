package process

import (
	"context"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/seed354a1416/deliveryboy/box"
)

// A far is a call of run, with its ends of the channels in the test's hands.
type far struct {
	orders  chan order
	reports chan report
	ended   chan struct{}
	state   State
	err     error
}

func callRun(ctx context.Context, t task) *far {
	f := &far{orders: make(chan order), reports: make(chan report), ended: make(chan struct{})}
	go func() {
		defer close(f.ended)
		f.state, f.err = run(ctx, t, nil, nil, nil, f.orders, f.reports)
	}()
	return f
}

// order gives an order and returns its answer.
func (f *far) order(t *testing.T, o order) (report, error) {
	t.Helper()
	select {
	case f.orders <- o:
	case <-f.ended:
		t.Fatal("it has ended", f.err)
	}
	r := <-f.reports
	if r.ID != o.ID {
		t.Fatalf("%+v answers %+v", r, o)
	}
	return r, r.error()
}

// What no honest caller sends is refused, and harms neither the process nor the worker.
func TestHostileOrders(t *testing.T) {
	f := callRun(t.Context(), task{Config: Config{Cmdline: "sleep 1000", Input: true, Streams: []string{"s"}}})
	first := <-f.reports
	if first.PID == 0 || first.Path == "" || first.Ref == "" {
		t.Fatalf("%+v", first)
	}
	for i, o := range []order{
		{}, {Do: "halt"}, {Do: orderSignal}, {Do: orderSignal, Signal: "NONE"}, {Do: orderSignal, Signal: "-1"}, {Do: orderSignal, Signal: "0"},
		{Do: orderWrite}, {Do: orderWrite, Label: "x", Data: []byte("x")}, {Do: orderClose, Label: "x"},
		{Do: orderWrite, Label: "s", Data: make([]byte, maxData+1)},
	} {
		o.ID = uint64(i + 1)
		if _, err := f.order(t, o); err == nil {
			t.Errorf("%+v was obeyed", o)
		}
	}
	if r, err := f.order(t, order{ID: 100, Do: orderStats}); err != nil || r.Stats.PID != first.PID {
		t.Errorf("%+v, %v", r, err)
	}
	if _, err := f.order(t, order{ID: 101, Do: orderTerminate, Grace: -time.Hour}); err != nil {
		t.Error(err)
	}
	<-f.ended
	if f.err != nil || f.state.Signal != "SIGTERM" {
		t.Errorf("%+v, %v", f.state, f.err)
	}
}

func TestHostileTasks(t *testing.T) {
	for _, c := range []struct {
		task task
		says string
	}{
		{task{}, "no program"}, {task{Ask: "passwords"}, "can be asked for no"}, {task{Ask: askPath}, "one name"},
		{task{Config: Config{Cmdline: "true", Detach: true}}, "job"}, {task{Config: Config{Cmdline: "true", Outputs: []string{"a"}}}, "caller's"},
		{task{Config: Config{Argv: []string{"a\x00b"}}}, "NUL"}, {task{Config: Config{Program: "a\x00b", Cmdline: "true"}}, "NUL"},
		{task{Config: Config{Cmdline: "true", Nice: 1000}}, "nice"}, {task{Config: Config{Cmdline: "true", WaitDelay: -1}}, "negative"},
		{task{Config: Config{Cmdline: "true", Streams: make([]string, MaxStreams+1)}}, "at most"},
		{task{Config: Config{Cmdline: "true", Dir: "/\x00"}}, "dir"},
	} {
		f := callRun(t.Context(), c.task)
		<-f.ended
		if f.err == nil || !strings.Contains(f.err.Error(), c.says) {
			t.Errorf("%+v: %v", c.task, f.err)
		}
	}
}

// A caller that gives order after order for what does not read is not waited for when it goes.
func TestOrdersThatHang(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	f := callRun(ctx, task{Config: Config{Cmdline: "sleep 1000", Input: true}})
	<-f.reports
	data := make([]byte, maxData)
	for given, answered := 0, 0; given-answered < maxOrders; {
		select {
		case f.orders <- order{ID: uint64(given + 1), Do: orderWrite, Label: stdinLabel, Data: data}:
			given++
		case <-f.reports: // what the pipe took
			answered++
		case <-f.ended:
			t.Fatal(f.err)
		}
	}
	select {
	case f.orders <- order{}:
		t.Error("one more is taken")
	case <-time.After(50 * time.Millisecond):
	}
	cancel()
	<-f.ended
	if !errors.Is(f.err, context.Canceled) || f.state.Signal != "SIGKILL" {
		t.Errorf("%+v, %v", f.state, f.err)
	}
}

// A far side may say what it likes: it is no news of this process but by the labels that it has.
func TestHostileReports(t *testing.T) {
	c := courier(func(ctx context.Context, reports chan<- report, orders <-chan order) (State, error) {
		reports <- report{PID: 1, Path: "/bin/\x1b[31mx"}
		reports <- report{PID: 2}
		reports <- report{ID: 77}
		reports <- report{Label: "none", Data: []byte("x")}
		reports <- report{Label: "s", Data: []byte("y")}
		o := <-orders
		reports <- report{ID: o.ID, Fault: []byte("no fault")}
		o = <-orders
		reports <- report{ID: o.ID, Done: 1 << 40}
		o = <-orders
		reports <- report{ID: o.ID} // stats without any
		return State{Signal: "SIG\x1b[31m", Code: 5}, nil
	})
	p, err := On(c).New(Config{Cmdline: "x", Streams: []string{"s"}})
	if err != nil {
		t.Fatal(err)
	}
	var heard []string
	p.Subscribe("output.", func(e Event) { heard = append(heard, e.Label+string(e.Data)) })
	if err := p.Start(t.Context()); err != nil || p.PID() != 1 {
		t.Fatalf("%d, %v", p.PID(), err)
	}
	if err := p.Signal(t.Context(), 1); err == nil {
		t.Error("a fault that is none")
	}
	s, err := p.Stream("s")
	if err != nil {
		t.Fatal(err)
	}
	if n, err := s.Write([]byte("abc")); n != 3 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
	if st, err := p.Stats(t.Context(), 0); err == nil {
		t.Errorf("%+v", st)
	}
	state, err := p.Wait(t.Context())
	if text := state.String(); err != nil || strings.Contains(text, "\x1b") || state.Success() {
		t.Errorf("%q, %v", text, err)
	}
	if err := p.Close(); err != nil || len(heard) != 1 || heard[0] != "sy" {
		t.Errorf("%q, %v", heard, err)
	}
}

// courier is a far side that does what it likes.
type courier func(ctx context.Context, reports chan<- report, orders <-chan order) (State, error)

func (c courier) Deliver(ctx context.Context, b *box.Box) (*box.Reply, error) {
	return box.Execute(ctx, c, b), nil
}

// Serve is that of a box.Handler.
func (c courier) Serve(ctx context.Context, _ box.Values, live []box.Live) (results box.Values, _ []box.Live, err error) {
	var reports chan<- report
	var orders <-chan order
	for _, l := range live {
		switch v := l.Value.Interface().(type) {
		case chan<- report:
			reports = v
		case <-chan order:
			orders = v
		}
	}
	s, failed := c(ctx, reports, orders)
	codec, err := box.NewCodec("result", []reflect.Type{reflect.TypeFor[State]()}, 0)
	if err == nil {
		results, err = codec.Encode([]reflect.Value{reflect.ValueOf(s)})
	}
	return results, nil, errors.Join(failed, err)
}

// A far side that does not answer is left when the context is done, and one that says nothing at all did not start anything.
func TestFarSidesThatDoNotStart(t *testing.T) {
	hangs := courier(func(ctx context.Context, _ chan<- report, _ <-chan order) (State, error) {
		<-ctx.Done()
		return State{Code: -1}, ctx.Err()
	})
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	p, err := On(hangs).New(Config{Cmdline: "x"})
	if err != nil {
		t.Fatal(err)
	}
	once := make(chan Event, 2)
	p.SubscribeOnce(".", func(e Event) { once <- e })
	if err := p.Start(ctx); !errors.Is(err, context.DeadlineExceeded) || p.Active() {
		t.Errorf("%v", err)
	}
	if _, err := p.Wait(t.Context()); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v", err)
	}
	if err := p.Close(); err != nil {
		t.Error(err)
	}
	if e := <-once; e.Topic != TopicExit || e.Err == nil || e.State != nil {
		t.Errorf("%+v", e)
	}
	for says, c := range map[string]courier{
		"did not say": func(context.Context, chan<- report, <-chan order) (State, error) { return State{}, nil },
		"no such": func(context.Context, chan<- report, <-chan order) (State, error) {
			return State{}, errors.New("no such thing")
		},
		"it panics": func(context.Context, chan<- report, <-chan order) (State, error) { panic("it panics") },
	} {
		if _, err := On(c).Start(t.Context(), Config{Cmdline: "x"}); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v", says, err)
		}
	}
}

// A process that ended before anybody looked has begun all the same.
func TestFarProcessThatEndsAtOnce(t *testing.T) {
	for i := range 100 {
		var late error
		if i%2 == 1 {
			late = errors.New("a copy failed")
		}
		p, err := On(courier(func(_ context.Context, reports chan<- report, _ <-chan order) (State, error) {
			reports <- report{PID: 7}
			return State{PID: 7, Code: 3}, late
		})).New(Config{Cmdline: "x"})
		if err != nil {
			t.Fatal(err)
		}
		var topics []string
		p.Subscribe(".", func(e Event) { topics = append(topics, e.Topic) })
		if err := p.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		if s, err := p.Wait(t.Context()); (err == nil) != (late == nil) || s.Code != 3 {
			t.Errorf("%+v, %v", s, err)
		}
		if err := p.Close(); err != nil || strings.Join(topics, " ") != "start exit" {
			t.Errorf("%q, %v", topics, err)
		}
	}
}
