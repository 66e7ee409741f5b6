package api

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3gen"
)

// openapi makes the OpenAPI document from the table of routes and the Go types that answer.
func (a *API) openapi() ([]byte, error) {
	doc := &openapi3.T{
		OpenAPI:    "3.0.3",
		Info:       &openapi3.Info{Title: "Tidemark", Version: "v1", Description: "Times in answers are Unix milliseconds unless a name ends in _ns; durations are nanoseconds; rates are per second; ratios lie between 0 and 1. Errors are problem documents (RFC 9457)."},
		Paths:      openapi3.NewPaths(),
		Components: &openapi3.Components{Schemas: openapi3.Schemas{}},
	}
	gen := openapi3gen.NewGenerator(openapi3gen.UseAllExportedFields())
	schema := func(v any) (*openapi3.SchemaRef, error) {
		ref, err := gen.NewSchemaRefForValue(v, doc.Components.Schemas)
		if err != nil {
			return nil, fmt.Errorf("%T: %w", v, err)
		}
		return ref, nil
	}
	problem, err := schema(Problem{})
	if err != nil {
		return nil, err
	}
	for _, e := range a.routes() {
		path, names := openPath(e.path)
		op := &openapi3.Operation{OperationID: operationID(e), Summary: e.summary, Responses: openapi3.NewResponses()}
		for _, name := range names {
			op.AddParameter(openapi3.NewPathParameter(name).WithSchema(openapi3.NewStringSchema()))
		}
		for _, p := range e.params {
			op.AddParameter(openapi3.NewQueryParameter(p.name).WithDescription(p.description).WithSchema(openapi3.NewStringSchema()))
		}
		if e.body != nil {
			ref, err := schema(e.body)
			if err != nil {
				return nil, err
			}
			op.RequestBody = &openapi3.RequestBodyRef{Value: openapi3.NewRequestBody().WithRequired(true).WithJSONSchemaRef(ref)}
		}
		if e.answer == nil {
			op.Responses.Set("204", &openapi3.ResponseRef{Value: openapi3.NewResponse().WithDescription("done")})
		} else if _, ok := e.answer.(file); ok {
			op.Responses.Set("200", &openapi3.ResponseRef{Value: openapi3.NewResponse().WithDescription("a file").
				WithContent(openapi3.NewContentWithSchema(openapi3.NewStringSchema().WithFormat("binary"), []string{"application/octet-stream"}))})
		} else {
			ref, err := schema(e.answer)
			if err != nil {
				return nil, err
			}
			op.Responses.Set("200", &openapi3.ResponseRef{Value: openapi3.NewResponse().WithDescription("the answer").WithJSONSchemaRef(ref)})
		}
		op.Responses.Set("default", &openapi3.ResponseRef{Value: openapi3.NewResponse().WithDescription("a problem").
			WithContent(openapi3.NewContentWithSchemaRef(problem, []string{"application/problem+json"}))})
		item := doc.Paths.Value(path)
		if item == nil {
			item = &openapi3.PathItem{}
			doc.Paths.Set(path, item)
		}
		item.SetOperation(strings.ToUpper(e.method), op)
	}
	return json.Marshal(doc)
}
