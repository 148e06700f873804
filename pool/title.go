package pool

import (
	"context"
	"fmt"

	"github.com/seed354a1416/deliveryboy/session"
)

// entitle has a worker show in ps and top which one it is, if the program has the function for that; see [Register].
func (p *Pool) entitle(ctx context.Context, s *session.Session, number int) {
	if title, ok := far(); ok {
		_ = title.title.On(s)(ctx, fmt.Sprintf("pool worker %d", number)) // it is for people, and no more
	}
}
