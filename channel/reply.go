package channel

import "context"

type replyKey struct{}

// WithReply returns a context with which a function is asked when the reply to a call has come, of so many bytes, before
// anything else that belongs to it is waited for. With an error the reply is dropped, and the call has that error. It is for
// whoever keeps replies for others.
func WithReply(ctx context.Context, take func(bytes int64) error) context.Context {
	return context.WithValue(ctx, replyKey{}, take)
}

// TakeReply asks the function of [WithReply]; nil if the context has none.
func TakeReply(ctx context.Context, bytes int64) error {
	if take, ok := ctx.Value(replyKey{}).(func(int64) error); ok {
		return take(bytes)
	}
	return nil
}
