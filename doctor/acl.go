package doctor

// aclWriters are whom an access control list lets write, besides the owner and others.
type aclWriters struct {
	group         bool // the file's own
	users, groups []uint32
}
