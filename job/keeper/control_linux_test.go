package keeper

import (
	"os"
	"testing"

	"github.com/seed354a1416/deliveryboy/job/store"
)

// An order by which the job ends at once gets its answer nevertheless.
func TestAnswerOfTheLastOrder(t *testing.T) {
	for range 100 {
		dir, err := os.OpenRoot(t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		k := &keeper{job: &store.Job{ID: "last", Dir: dir}}
		k.cancel = func(error) { k.control.stop() }
		if k.control, err = listen(k); err != nil {
			t.Fatal(err)
		}
		if _, err := Ask(t.Context(), k.job, "cancel"); err != nil {
			t.Errorf("it was obeyed, and the answer is: %v", err)
		}
		k.control.close()
		_ = dir.Close()
	}
}
