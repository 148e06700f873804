package value

// tidy writes the journal anew when most of it is history. That it cannot is no harm to what is in it.
func (s *Store) tidy() {
	live := int64(0)
	for _, u := range s.usage {
		live += int64(u.bytes + u.names*overhead)
	}
	if s.journal.size >= max(2*live, s.journal.later)+slack {
		s.rewrite()
	}
}

func (s *Store) rewrite() {
	if err := s.compact(); err != nil {
		s.log.Warn("the journal of values could not be written anew", "error", err)
		s.journal.later = s.journal.size
	}
}

// compact replaces the journal by one of what is there now.
func (s *Store) compact() error {
	next, err := s.journal.replace(s.dir, func(add func(record) error) error {
		for k, e := range s.values {
			if s.over(e) {
				continue
			}
			if err := add(record{k.owner, k.name, e.data, e.expires}); err != nil {
				return err
			}
		}
		return nil
	})
	if next != nil {
		s.journal = next
	}
	return err
}
