package deploy

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"runtime/debug"
	"strings"
	"testing"
)

// mainPath is what this program is called in a bundle of its own.
func mainPath(t *testing.T) string {
	t.Helper()
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Path == "" {
		t.Fatal("no build info")
	}
	return info.Path
}

// bundled writes a bundle into a directory of the test's own.
func bundled(t *testing.T, program string, files map[string]string) (path string, content []byte) {
	t.Helper()
	from := map[string]io.Reader{}
	for system, text := range files {
		from[system] = strings.NewReader(text)
	}
	var b bytes.Buffer
	if _, err := WriteBundle(&b, program, from); err != nil {
		t.Fatal(err)
	}
	path = filepath.Join(t.TempDir(), "app.bundle")
	if err := os.WriteFile(path, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return path, b.Bytes()
}

func TestBundleReadsBack(t *testing.T) {
	files := map[string]string{"linux/arm64": strings.Repeat("arm", 1e5), "linux/386": "x", "freebsd/amd64": "free"}
	path, content := bundled(t, mainPath(t), files)
	if _, again := bundled(t, mainPath(t), files); !bytes.Equal(content, again) {
		t.Error("the same files made another bundle")
	}
	b, err := ReadBundle(path)
	if err != nil || b.Program != mainPath(t) || fmt.Sprint(b.Systems()) != "[freebsd/amd64 linux/386 linux/arm64]" {
		t.Fatalf("%+v, %v", b, err)
	}
	o := Options{On: true, Bundle: path}
	for system, want := range files {
		p, err := o.other(system)
		if err != nil || p == nil {
			t.Fatalf("%s: %v, %v", system, p, err)
		}
		var plain strings.Builder
		err = p.plain(&plain)
		if plain.String() != want || err != nil || p.size != int64(len(want)) || p.build != "sha256:"+p.digest {
			t.Errorf("%s: %.20q, %+v, %v", system, plain.String(), p, err)
		}
		if packed, err := p.packed(); err != nil || !bytes.Contains(content, packed) {
			t.Errorf("%s: what is sent is not what stands there, %v", system, err)
		}
		if ok, err := o.Serves(system, p.build); !ok || err != nil {
			t.Errorf("%s: %v, %v", system, ok, err)
		}
		if ok, err := o.Serves(system, "another"); ok || err != nil {
			t.Errorf("%s: another build: %v, %v", system, ok, err)
		}
	}
	if ok, err := o.Serves("plan9/arm64", ""); ok || err != nil {
		t.Errorf("%v, %v", ok, err)
	}
	_, _, err = answered(t, o, "@ arch Linux riscv64 gzip=====\n")
	want := fmt.Sprintf(`the far side is "linux/riscv64", this program is for %q, and the bundle %q has ["freebsd/amd64" "linux/386" "linux/arm64"]`, here, path)
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("got %v, want %s", err, want)
	}
	single := Options{On: true, Programs: map[string]string{"linux/mips": path}}
	if _, _, err = answered(t, single, "@ arch Linux riscv64 gzip=====\n"); err == nil || !strings.Contains(err.Error(), `there are files for ["linux/mips"]`) {
		t.Error(err)
	}
}

// TestADamagedBundle flips each byte of one, and cuts it everywhere: it is refused, and nothing of it is used.
func TestADamagedBundle(t *testing.T) {
	path, content := bundled(t, "example.org/app", map[string]string{"linux/arm64": "the program for one", "linux/amd64": "and for another"})
	refused := func(what string, damaged []byte) {
		t.Helper()
		if err := os.WriteFile(path, damaged, 0o600); err != nil {
			t.Fatal(err)
		}
		if b, err := ReadBundle(path); err == nil {
			t.Errorf("%s: read as %+v", what, b)
		}
	}
	harmless := 0
	for i := range content {
		damaged := bytes.Clone(content)
		damaged[i] ^= 0x10
		if err := os.WriteFile(path, damaged, 0o600); err != nil {
			t.Fatal(err)
		}
		// A few bits of a gzip header mean nothing: the programs are the same then.
		if _, err := ReadBundle(path); err == nil {
			harmless++
		}
	}
	if harmless > 2*10 {
		t.Errorf("%d of %d changes were not seen", harmless, len(content))
	}
	for i := range content {
		refused(fmt.Sprintf("cut at %d", i), content[:i])
	}
	refused("longer", append(bytes.Clone(content), 0))
}

func TestBundlesThatAreRefused(t *testing.T) {
	digest := strings.Repeat("a", 64)
	sealed := func(lines ...string) []byte {
		b := &Bundle{Program: "p"}
		index := b.index()
		head, _, _ := bytes.Cut(index, []byte("end "))
		return []byte(string(head) + strings.Join(lines, "\n") + "\nend " + digest + "\n")
	}
	entry := "linux/arm64 " + digest + " 1 1"
	for _, c := range []struct {
		text string
		want string
	}{
		{"", "it is no bundle of version 1"},
		{"deliveryboy bundle 2\n", "it is no bundle of version 1"},
		{"deliveryboy bundle 1\n", "has no end within"},
		{"deliveryboy bundle 1\nprogram p\n" + strings.Repeat("x", 2*maxIndex), "has no end within"},
		{"deliveryboy bundle 1\nprogram a b\nx\nend " + digest + "\n", `line 2 of its index, "program a b", does not name a program`},
		{"deliveryboy bundle 1\nprogram \nx\nend " + digest + "\n", "does not name a program"},
		{"deliveryboy bundle 1\nprogram p\nend " + digest + "\n", "it has 0 programs; there must be 1 to 64"},
		{string(sealed(strings.Split(strings.Repeat(entry+"\n", 65), "\n")...)), "it has 66 programs"},
		{string(sealed("linux/arm64 x 1")), "it has 3 words, and should have 4"},
		{string(sealed("linux " + digest + " 1 1")), "GOOS/GOARCH"},
		{string(sealed("../x/y " + digest + " 1 1")), "GOOS/GOARCH"},
		{string(sealed("linux/arm64 " + digest[1:] + "A 1 1")), "is no digest"},
		{string(sealed("linux/arm64 " + digest + " 01 1")), `"01" is no number of bytes`},
		{string(sealed("linux/arm64 " + digest + " 0 1")), `"0" is no number of bytes`},
		{string(sealed("linux/arm64 " + digest + " 1 1073741825")), `"1073741825" is no number of bytes from 1 to 1073741824`},
		{string(sealed("linux/arm64 " + digest + " 1 -1")), `"-1" is no number of bytes`},
		{string(sealed(entry, entry)), "the systems are not in order"},
		{string(sealed(entry)), "its index is damaged"},
	} {
		_, err := parseIndex([]byte(c.text), int64(len(c.text)))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%.80q: got %v, want %s", c.text, err, c.want)
		}
	}
}

func TestWhatIsNoBundle(t *testing.T) {
	for name, c := range map[string]struct {
		program string
		files   map[string]io.Reader
	}{
		"no program":  {"", map[string]io.Reader{"linux/arm64": strings.NewReader("x")}},
		"no files":    {"p", nil},
		"an empty":    {"p", map[string]io.Reader{"linux/arm64": strings.NewReader("")}},
		"a bad name":  {"p", map[string]io.Reader{"arm64": strings.NewReader("x")}},
		"a bad file":  {"p", map[string]io.Reader{"linux/arm64": failing{}}},
		"a bad path":  {"p\x1b[m", map[string]io.Reader{"linux/arm64": strings.NewReader("x")}},
		"a long path": {strings.Repeat("p", 1025), map[string]io.Reader{"linux/arm64": strings.NewReader("x")}},
	} {
		var out bytes.Buffer
		if b, err := WriteBundle(&out, c.program, c.files); err == nil || out.Len() > 0 {
			t.Errorf("%s: %+v, %d bytes", name, b, out.Len())
		}
	}
}

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, errors.New("broken") }

// TestWhatABundleClaims has an index that is right in itself, and programs that are not what it says.
func TestWhatABundleClaims(t *testing.T) {
	_, content := bundled(t, "p", map[string]string{"linux/arm64": strings.Repeat("program", 10_000)})
	good, err := parseIndex(content, int64(len(content)))
	if err != nil {
		t.Fatal(err)
	}
	member := content[good.Entries[0].at:]
	for name, c := range map[string]struct {
		change func(*Entry)
		packed []byte
		want   string
	}{
		"a bomb":         {func(e *Entry) { e.Size = 100 }, member, "has not the 100 bytes"},
		"too short":      {func(e *Entry) { e.Size++ }, member, "has not the 70001 bytes"},
		"another digest": {func(e *Entry) { e.Digest = strings.Repeat("0", 64) }, member, "its digest is not the one"},
		"two members":    {func(*Entry) {}, append(bytes.Clone(member), member...), "something stands behind it"},
		"no gzip":        {func(*Entry) {}, []byte("#!/bin/sh\necho foreign\n"), "invalid header"},
		"cut":            {func(*Entry) {}, member[:len(member)-1], "unexpected EOF"},
	} {
		e := good.Entries[0]
		c.change(&e)
		e.Packed = int64(len(c.packed))
		b := &Bundle{Program: mainPath(t), Entries: []Entry{e}}
		path := filepath.Join(t.TempDir(), "b")
		if err := os.WriteFile(path, append(b.index(), c.packed...), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := ReadBundle(path)
		_, used := (Options{Bundle: path}).other("linux/arm64")
		if err == nil || used == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(used.Error(), c.want) {
			t.Errorf("%s: %v, %v", name, err, used)
		}
	}
}

// TestWhoseBundle: who could have written it is not to say what runs elsewhere.
func TestWhoseBundle(t *testing.T) {
	path, content := bundled(t, mainPath(t), map[string]string{"linux/arm64": "x"})
	dir := filepath.Dir(path)
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(path, link); err != nil {
		t.Fatal(err)
	}
	way := filepath.Join(t.TempDir(), "way", "link") // another link, in a directory that others can write to
	if err := errors.Join(os.Mkdir(filepath.Dir(way), 0o700), os.Symlink(link, way), os.Chmod(filepath.Dir(way), 0o777)); err != nil {
		t.Fatal(err)
	}
	foreign, _ := bundled(t, "example.org/another", map[string]string{"linux/arm64": "x"})
	for name, c := range map[string]struct {
		spoil func() error
		path  string
		want  string
	}{
		"its own":        {func() error { return nil }, path, ""},
		"a link":         {func() error { return nil }, link, ""},
		"behind a link":  {func() error { return nil }, way, "/way\" can be written to by others (mode 0777)"},
		"missing":        {func() error { return nil }, dir + "/nowhere", "no such file"},
		"a directory":    {func() error { return nil }, dir, "it is no regular file"},
		"a device":       {func() error { return nil }, "/dev/null", "it is no regular file"},
		"group":          {func() error { return os.Chmod(path, 0o620) }, path, "can be written to by others (mode 0620)"},
		"others":         {func() error { return os.Chmod(path, 0o602) }, link, "can be written to by others (mode 0602)"},
		"directory":      {func() error { return os.Chmod(dir, 0o777) }, path, "can be written to by others (mode 0777)"},
		"sticky":         {func() error { return os.Chmod(dir, 0o777|os.ModeSticky) }, path, ""},
		"another's":      {func() error { return os.Chown(path, nobody, -1) }, path, "belongs to uid 54321, and should to root"},
		"another's dir":  {func() error { return os.Chown(dir, nobody, -1) }, path, "belongs to uid 54321"},
		"of another one": {func() error { return nil }, foreign, `it is of the program "example.org/another", and this is`},
	} {
		t.Run(name, func(t *testing.T) {
			if strings.HasPrefix(name, "another's") && os.Geteuid() != 0 {
				t.Skip("NOT TESTED: only root can give a file away")
			}
			if err := errors.Join(os.Remove(path), os.WriteFile(path, content, 0o600), c.spoil()); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() {
				if err := errors.Join(os.Chmod(dir, 0o755), os.Chown(dir, os.Geteuid(), -1)); err != nil { //nolint:gosec // as it was
					t.Error(err)
				}
			})
			_, err := Prepare(Options{On: true, Bundle: c.path})
			if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

func FuzzBundleIndex(f *testing.F) {
	var b bytes.Buffer
	if _, err := WriteBundle(&b, "example.org/app", map[string]io.Reader{"linux/arm64": strings.NewReader("x"), "linux/386": strings.NewReader("y")}); err != nil {
		f.Fatal(err)
	}
	f.Add(b.Bytes())
	f.Add(b.Bytes()[:60])
	f.Add([]byte("deliveryboy bundle 1\nprogram p\nend \n"))
	f.Fuzz(func(t *testing.T, content []byte) {
		b, err := parseIndex(content, int64(len(content)))
		if err != nil {
			return
		}
		index := b.index()
		again, err := parseIndex(index, int64(len(index))+b.packed())
		if !bytes.HasPrefix(content, index) || err != nil || !reflect.DeepEqual(b, again) {
			t.Fatalf("%q was read as %+v, then as %+v, %v", content, b, again, err)
		}
		if len(b.Entries) > maxSystems || int64(len(index))+b.packed() != int64(len(content)) {
			t.Fatalf("%+v", b)
		}
	})
}
