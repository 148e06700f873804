package process

import (
	"strings"
	"time"
)

// Topics of events. Those of outputs and streams end with the label.
const (
	TopicStart  = "start"
	TopicExit   = "exit"   // with State: the last event of a process
	TopicOutput = "output" // "output.LABEL", with Label and Data, for Outputs and Streams
	TopicStat   = "stat"   // with Stats, while somebody monitors
	TopicStop   = "stop"   // Stop was called
	TopicSignal = "signal" // with Signal: one was sent
)

// An Event is something that happened to a process.
type Event struct {
	Topic string
	Name  string // the process's
	PID   int
	Time  time.Time

	Label  string // of the output or stream
	Data   []byte // what came there; the listener may keep it, and must not change it
	Signal string // such as "SIGHUP"
	Stats  *Stats
	State  *State // nil if Err tells why it is not known
	Err    error
}

func (p *Process) publish(e Event) {
	e.Name, e.PID, e.Time = p.cfg.Name, p.PID(), time.Now()
	p.bus.Publish(e.Topic, e)
}

// Subscribe has hear called with each event whose topic the pattern covers: the topic itself, all below one ("output."),
// or all ("."). It returns what ends that. Calls come one after another, in the order of events.
//
// At most 10 000 events wait for listeners, of 64 MiB together; then the oldest are dropped, and counted by
// [Process.Dropped]. A process never waits for a listener. One that panics is logged, and hears nothing more.
func (p *Process) Subscribe(pattern string, hear func(Event)) (cancel func()) {
	return p.bus.Subscribe(pattern, func(_ string, e Event) { hear(e) })
}

// SubscribeOnce is Subscribe for the first such event alone.
func (p *Process) SubscribeOnce(pattern string, hear func(Event)) (cancel func()) {
	return p.bus.Once(pattern, func(_ string, e Event) { hear(e) })
}

// OnOutput has hear called with what comes from an output or a stream, by its label, or from all ("."). To miss nothing,
// ask before the process is started: see [New].
func (p *Process) OnOutput(label string, hear func(Event)) (cancel func(), err error) {
	if label == "." {
		return p.Subscribe(TopicOutput+".", hear), nil
	}
	if !p.cfg.hasLabel(label) {
		return nil, p.cfg.wrong("outputs", "there is no label "+quote(label)+": it has "+quote(strings.Join(p.cfg.labels(), " ")))
	}
	return p.Subscribe(TopicOutput+"."+label, hear), nil
}

// OnExit has hear called when the process has ended and its outputs have. It comes after all other events.
func (p *Process) OnExit(hear func(Event)) (cancel func()) { return p.Subscribe(TopicExit, hear) }

// Dropped is how many events were dropped, because too many waited for listeners.
func (p *Process) Dropped() uint64 { return p.bus.Dropped() }
