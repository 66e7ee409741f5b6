package otlp

import (
	"bytes"
	"compress/zlib"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// errTooLarge is a body beyond MaxBody.
var errTooLarge = errors.New("request is too large")

// errEncoding is a Content-Encoding that we do not speak.
var errEncoding = errors.New("unsupported Content-Encoding: want gzip, zstd, deflate or none")

var (
	gzipReaders sync.Pool
	zstdReaders sync.Pool
)

// maxZstdWindow bounds what a frame header can make the decoder allocate.
const maxZstdWindow = 8 << 20

func zstdReader(r io.Reader) (*zstd.Decoder, error) {
	if d, ok := zstdReaders.Get().(*zstd.Decoder); ok {
		return d, d.Reset(r)
	}
	return zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(maxZstdWindow), zstd.WithDecoderLowmem(true))
}

func gzipReader(r io.Reader) (*gzip.Reader, error) {
	if z, ok := gzipReaders.Get().(*gzip.Reader); ok {
		if err := z.Reset(r); err != nil {
			gzipReaders.Put(z)
			return nil, err
		}
		return z, nil
	}
	return gzip.NewReader(r)
}

// decompress reads src to its end into dst, at most max bytes, counted in held.
func decompress(dst *bytes.Buffer, src io.Reader, encoding string, max int, held *body) error {
	var r io.Reader
	switch encoding {
	case "", "identity":
		r = src
	case "gzip":
		z, err := gzipReader(src)
		if err != nil {
			return fmt.Errorf("reading gzip: %w", err)
		}
		defer gzipReaders.Put(z)
		r = z
	case "zstd":
		z, err := zstdReader(src)
		if err != nil {
			return fmt.Errorf("reading zstd: %w", err)
		}
		defer zstdReaders.Put(z)
		r = z
	case "deflate":
		z, err := zlib.NewReader(src)
		if err != nil {
			return fmt.Errorf("reading deflate: %w", err)
		}
		r = z
	default:
		return errEncoding
	}
	if _, err := dst.ReadFrom(io.LimitReader(counted{r, held}, int64(max)+1)); err != nil {
		return err
	}
	if dst.Len() > max {
		return errTooLarge
	}
	return nil
}

// gzipCompressor and zstdCompressor are what gRPC uses; it bounds the decompressed size itself.
type gzipCompressor struct{}

func (gzipCompressor) Name() string { return "gzip" }
func (gzipCompressor) Compress(w io.Writer) (io.WriteCloser, error) {
	return gzip.NewWriterLevel(w, gzip.BestSpeed)
}
func (gzipCompressor) Decompress(r io.Reader) (io.Reader, error) {
	z, err := gzipReader(r)
	if err != nil {
		return nil, err
	}
	return &pooledReader{r: z, release: func() { gzipReaders.Put(z) }}, nil
}

type zstdCompressor struct{}

func (zstdCompressor) Name() string { return "zstd" }
func (zstdCompressor) Compress(w io.Writer) (io.WriteCloser, error) {
	return zstd.NewWriter(w, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1))
}
func (zstdCompressor) Decompress(r io.Reader) (io.Reader, error) {
	z, err := zstdReader(r)
	if err != nil {
		return nil, err
	}
	return &pooledReader{r: z, release: func() { zstdReaders.Put(z) }}, nil
}

// pooledReader returns its decompressor to the pool at the end of the stream.
type pooledReader struct {
	r       io.Reader
	release func()
}

func (p *pooledReader) Read(b []byte) (int, error) {
	if p.release == nil {
		return 0, io.EOF
	}
	n, err := p.r.Read(b)
	if err == io.EOF {
		p.release()
		p.release = nil
	}
	return n, err
}
