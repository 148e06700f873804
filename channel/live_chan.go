package channel

import "reflect"

// exportSource bridges a channel that the function receives from. Each item is asked for: none is taken that nobody
// waits for.
func (b *Bridges) exportSource(v reflect.Value) ([]uint32, error) {
	it, err := itemsOf(v.Type().Elem())
	if err != nil {
		return nil, err
	}
	s, err := b.open()
	if err != nil {
		return nil, err
	}
	b.work.Go(func() {
		defer s.Close() //nolint:errcheck // the connection's end tells the rest
		for {
			if _, err := s.Receive(b.ctx); err != nil { // what asks for an item
				return
			}
			item, open, ok := b.receive(v, s)
			if !ok {
				return
			}
			if !open {
				_ = s.CloseWrite()
				<-s.Closed()
				return
			}
			pieces, err := it.pack(item)
			if err == nil {
				err = s.Send(b.ctx, pieces...)
			}
			if err != nil {
				_ = s.CloseWithError(err)
				return
			}
		}
	})
	return []uint32{s.id}, nil
}

// receive takes an item from a channel; ok is false if the call, or the stream, has ended before there was one.
func (b *Bridges) receive(v reflect.Value, s *Stream) (item reflect.Value, open, ok bool) {
	chosen, item, open := reflect.Select([]reflect.SelectCase{
		{Dir: reflect.SelectRecv, Chan: v},
		{Dir: reflect.SelectRecv, Chan: reflect.ValueOf(b.over)},
		{Dir: reflect.SelectRecv, Chan: reflect.ValueOf(s.Closed())},
	})
	return item, open, chosen == 0
}

// importSource makes the stand-in of a channel that the function receives from.
func (b *Bridges) importSource(t reflect.Type, s *Stream) (reflect.Value, error) {
	it, err := itemsOf(t.Elem())
	if err != nil {
		return reflect.Value{}, err
	}
	ch := reflect.MakeChan(reflect.ChanOf(reflect.BothDir, t.Elem()), 0)
	b.work.Go(func() {
		defer s.Close() //nolint:errcheck // the connection's end tells the rest
		for {
			if err := s.Send(b.ctx); err != nil {
				break
			}
			item, err := s.Receive(contextOf(b.over))
			if err != nil {
				break
			}
			v, err := it.unpack(item)
			if err != nil {
				_ = s.CloseWithError(err)
				break
			}
			if !b.send(ch, v) {
				return
			}
		}
		if !b.isOver() {
			ch.Close()
		}
	})
	return ch.Convert(t), nil
}

// send gives an item to a channel; false if the call has ended before somebody took it.
func (b *Bridges) send(ch, v reflect.Value) bool {
	chosen, _, _ := reflect.Select([]reflect.SelectCase{
		{Dir: reflect.SelectSend, Chan: ch, Send: v},
		{Dir: reflect.SelectRecv, Chan: reflect.ValueOf(b.over)},
		{Dir: reflect.SelectRecv, Chan: reflect.ValueOf(b.ctx.Done())},
	})
	return chosen == 0
}

// exportDrain bridges a channel that the function sends to.
func (b *Bridges) exportDrain(v reflect.Value) ([]uint32, error) {
	it, err := itemsOf(v.Type().Elem())
	if err != nil {
		return nil, err
	}
	s, err := b.open()
	if err != nil {
		return nil, err
	}
	b.work.Go(func() {
		defer s.Close() //nolint:errcheck // the connection's end tells the rest
		for {
			item, err := s.Receive(b.ctx)
			if err != nil {
				select {
				case <-s.demand: // the function has closed it
					v.Close()
				default:
				}
				return
			}
			got, err := it.unpack(item)
			if err != nil {
				_ = s.CloseWithError(err)
				b.fail(err)
				return
			}
			chosen, _, _ := reflect.Select([]reflect.SelectCase{
				{Dir: reflect.SelectSend, Chan: v, Send: got},
				{Dir: reflect.SelectRecv, Chan: reflect.ValueOf(b.ctx.Done())},
			})
			if chosen != 0 {
				return
			}
		}
	})
	return []uint32{s.id}, nil
}

// importDrain makes the stand-in of a channel that the function sends to.
func (b *Bridges) importDrain(t reflect.Type, s *Stream) (reflect.Value, error) {
	it, err := itemsOf(t.Elem())
	if err != nil {
		return reflect.Value{}, err
	}
	ch := reflect.MakeChan(reflect.ChanOf(reflect.BothDir, t.Elem()), 0)
	b.work.Go(func() {
		for {
			item, open, ok := b.receive(ch, s)
			if !ok {
				// The function may have closed it with its last breath.
				if last, more := ch.TryRecv(); last.IsValid() && !more {
					_ = s.Demand()
				}
				break
			}
			if !open {
				_ = s.Demand()
				break
			}
			pieces, err := it.pack(item)
			if err == nil {
				err = s.Send(b.ctx, pieces...)
			}
			if err != nil {
				_ = s.CloseWithError(err)
				break
			}
		}
		_ = s.CloseWrite()
	})
	return ch.Convert(t), nil
}
