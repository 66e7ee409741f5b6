package watch

import (
	"context"
	"time"

	"github.com/tidemarkhq/tidemark/anomaly"
	"github.com/tidemarkhq/tidemark/query"
)

// codeReplay moves what is known of functions through stored profiles, block by block, with the code that runs live.
type codeReplay struct {
	watch     *Watch
	functions *functions
	waiting   map[int64]*costBatch // blocks that are read and not judged yet
}

func newCodeReplay(w *Watch, s Settings) *codeReplay {
	return &codeReplay{watch: w, functions: newFunctions(s), waiting: map[int64]*costBatch{}}
}

// read reads the blocks of a window.
func (r *codeReplay) read(ctx context.Context, w query.Window) (map[int64]*costBatch, error) {
	if r == nil {
		return nil, nil
	}
	b, err := r.watch.readCosts(ctx, w, costBlock*time.Second, "")
	if err != nil {
		return nil, err
	}
	return b.split(), nil
}

// split parts what was read by block.
func (b *costBatch) split() map[int64]*costBatch {
	out := map[int64]*costBatch{}
	of := func(step int64) *costBatch {
		x := out[step]
		if x == nil {
			x = &costBatch{exposures: map[query.CostStep]query.Exposure{}, names: b.names}
			for _, rows := range b.rows {
				x.rows = append(x.rows, &query.CostRows{Groups: rows.Groups})
			}
			out[step] = x
		}
		return x
	}
	for k, e := range b.exposures {
		of(k.Step).exposures[k] = e
	}
	for i, rows := range b.rows {
		for _, s := range rows.Samples {
			x := of(s.Step).rows[i]
			x.Samples = append(x.Samples, s)
		}
	}
	return out
}

func (r *codeReplay) put(blocks map[int64]*costBatch) {
	if r == nil {
		return
	}
	for at, b := range blocks {
		r.waiting[at] = b
	}
}

// take judges the block that is complete at a moment, if one is.
func (r *codeReplay) take(ctx context.Context, now int64) ([]anomaly.Alarm, error) {
	const late = int64((costLag + time.Minute - 1) / time.Minute * 60)
	end := now - late
	if r == nil || end%costBlock != 0 {
		return nil, nil
	}
	if b := r.waiting[end-costBlock]; b != nil {
		delete(r.waiting, end-costBlock)
		r.functions.take(b, false)
	}
	if len(r.functions.order) == 0 {
		return nil, nil
	}
	r.functions.settle(end)
	alarms, err := r.functions.judge(ctx, end, time.Unix(now, 0), r.watch.o.Explain.Code)
	for _, s := range r.functions.order {
		for _, o := range s.open {
			o.told = true
		}
	}
	return alarms, err
}
