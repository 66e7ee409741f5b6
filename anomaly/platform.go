package anomaly

import (
	"path"
	"strings"
)

// goPlatform are the first elements of import paths of Go's standard library that take CPU time.
var goPlatform = words("archive bufio bytes cmp compress container context crypto database encoding errors expvar fmt hash html image internal io iter log maps math mime net os path reflect regexp runtime slices sort strconv strings sync syscall text time unicode unique unsafe vendor")

// platformPrefixes begin names of the standard libraries and runtimes of other languages.
var platformPrefixes = []string{"java.", "javax.", "jdk.", "sun.", "kotlin.", "scala.", "std::", "core::", "alloc::", "__libc_", "__GI_", "_Py", "Py_", "G1", "GangWorker", "node:", "v8::", "(", "[", "System."}

func words(list string) map[string]bool {
	out := map[string]bool{}
	for w := range strings.FieldsSeq(list) {
		out[w] = true
	}
	return out
}

// Platform says whether a function belongs to a language's runtime or standard library, by the form of its name and
// file. What such a function takes is its callers' doing.
func Platform(f Function) bool {
	for _, p := range platformPrefixes {
		if strings.HasPrefix(f.Name, p) {
			return true
		}
	}
	if strings.HasPrefix(f.File, "node:") || strings.Contains(f.File, "/lib/python") || strings.HasPrefix(f.File, "<frozen ") || strings.HasPrefix(f.File, "/rustc/") {
		return true
	}
	slash := strings.LastIndexByte(f.Name, '/')
	dot := strings.IndexByte(f.Name[slash+1:], '.')
	if dot < 0 {
		return f.File == "" && !strings.Contains(f.Name, "::") // memcpy, malloc: no file, no package
	}
	pkg := f.Name[:slash+1+dot]
	first, _, _ := strings.Cut(pkg, "/")
	if !goPlatform[first] {
		return false
	}
	// A package of the service may have such a name too: then its file lies elsewhere.
	dir := path.Dir(f.File)
	return !strings.HasSuffix(f.File, ".go") || dir == pkg || strings.HasSuffix(dir, "/src/"+pkg)
}
