package deploy

// ArgvOf is [Plan.Argv] for a program that is to play another part than a worker: verb is its only argument.
func (p *Plan) ArgvOf(verb string) []string { return append(p.Argv(), verb) }

// ShownOf is ArgvOf for people, without the text of the script.
func (p *Plan) ShownOf(verb string) []string { return append(p.Shown(), verb) }
