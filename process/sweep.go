package process

// Sweep has what is left of the process's group end with it, as it does over a courier. It is to be called before Start.
func (p *Process) Sweep() { p.far = true }
