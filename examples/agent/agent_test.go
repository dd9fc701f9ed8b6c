package agent_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// ---- programs and processes --------------------------------------------------------------------

const noData = "warning: GOCOVERDIR not set, no coverage data emitted\n" // Go's own line

// said has the lines of an agent on stderr.
func said(lines ...string) (text string) {
	for _, line := range lines {
		text += "coverage agent: " + line + "\n"
	}
	return text
}

// goCommand runs the go command without settings of this machine.
func goCommand(t *testing.T, folder string, arguments ...string) string {
	t.Helper()
	command := exec.Command("go", arguments...)
	command.Dir = folder
	command.Env = append(os.Environ(), "GOFLAGS=", "GOWORK=")
	output, err := command.CombinedOutput()
	if err != nil {
		t.Fatalf("go %s: %v\n%s", strings.Join(arguments, " "), err, output)
	}
	return string(output)
}

// build builds the program in the folder, with the agent in it.
func build(t *testing.T, folder string, flags ...string) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "service")
	arguments := append([]string{"build", "-tags", "coverage", "-o", program}, flags...)
	goCommand(t, folder, arguments...)
	return program
}

var service struct {
	sync.Once
	program string
}

// instrumented is testdata/service as most tests need it.
func instrumented(t *testing.T) string {
	service.Do(func() {
		folder, err := os.MkdirTemp("", "agent")
		if err != nil {
			t.Fatal(err)
		}
		program := filepath.Join(folder, "service")
		goCommand(t, "testdata/service", "build", "-tags", "coverage", "-cover", "-covermode=atomic", "-o", program)
		service.program = program
	})
	if service.program == "" {
		t.Fatal("the service was not built")
	}
	return service.program
}

func TestMain(m *testing.M) {
	code := m.Run()
	os.RemoveAll(filepath.Dir(service.program))
	os.Exit(code)
}

type process struct {
	*exec.Cmd
	t      *testing.T
	input  io.WriteCloser
	output *bufio.Scanner
	errors *lockedBuffer
	port   int // the first that the agent tries
}

// lockedBuffer is read while the process writes it.
type lockedBuffer struct {
	sync.Mutex
	bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.Lock()
	defer b.Unlock()
	return b.Buffer.Write(p)
}

func (b *lockedBuffer) String() string {
	b.Lock()
	defer b.Unlock()
	return b.Buffer.String()
}

// freePort is one that was free a moment ago.
func freePort(t *testing.T) int {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().(*net.TCPAddr).Port
}

// start runs the program with settings such as "COVERAGE_HOST=127.0.0.1" until the test ends.
func start(t *testing.T, program string, settings ...string) *process {
	t.Helper()
	this := &process{Cmd: exec.Command(program), t: t, errors: &lockedBuffer{}, port: freePort(t)}
	this.Env = append([]string{"COVERAGE_HOST=127.0.0.1", fmt.Sprint("COVERAGE_PORT=", this.port)}, settings...)
	this.Stderr = this.errors
	var err error
	if this.input, err = this.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	output, err := this.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	this.output = bufio.NewScanner(output)
	this.output.Buffer(nil, 1<<22)
	if err := this.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		this.Process.Kill()
		this.Wait()
	})
	return this
}

// say writes a line to the process and returns its answer.
func (p *process) say(line string) string {
	p.t.Helper()
	fmt.Fprintln(p.input, line)
	if !p.output.Scan() {
		p.t.Fatalf("the process ended:\n%s", p.errors)
	}
	return p.output.Text()
}

func (p *process) work(times int) {
	for ; times > 0; times-- {
		p.say("work")
	}
}

// end lets main return.
func (p *process) end() {
	p.t.Helper()
	p.input.Close()
	if err := p.Wait(); err != nil {
		p.t.Fatalf("%v\n%s", err, p.errors)
	}
}

// eventually asks again and again, since the other side is a process that is starting or ending.
func eventually(t *testing.T, claim string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(60 * time.Second); !holds(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within 60 seconds: %s", claim)
		}
	}
}

var client = http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}

// listening is the line with the port that the agent has.
func (p *process) listening() string {
	return fmt.Sprintf("listening on 127.0.0.1:%d", p.agentPort())
}

// expect ends the process, and compares its lines on stderr but Go's own.
func (p *process) expect(lines ...string) {
	p.t.Helper()
	p.end()
	equal(p.t, strings.Replace(p.errors.String(), noData, "", 1), said(lines...))
}

// agentPort finds the port among those that the agent tries, by the number of the process.
func (p *process) agentPort() (port int) {
	for port := p.port; port < p.port+50; port++ {
		if response, err := client.Head(fmt.Sprintf("http://127.0.0.1:%d/", port)); err == nil {
			response.Body.Close()
			if response.Header.Get("X-Art-Coverage-Pid") == strconv.Itoa(p.Process.Pid) {
				return port
			}
		}
	}
	return 0
}

type answer struct {
	*http.Response
	body string
}

// ask sends a request to the agent once it is there.
func (p *process) ask(method, path string) answer {
	p.t.Helper()
	var port int
	eventually(p.t, "the agent serves\n"+p.errors.String(), func() bool { port = p.agentPort(); return port != 0 })
	request, err := http.NewRequest(method, fmt.Sprintf("http://127.0.0.1:%d%s", port, path), nil)
	if err != nil {
		p.t.Fatal(err)
	}
	response, err := client.Do(request)
	if err != nil {
		p.t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	return answer{response, string(body)}
}

// covered is the body of an answer.
type covered struct {
	MetaFilename     string `json:"meta_filename"`
	MetaData         []byte `json:"meta_data"`
	CountersFilename string `json:"counters_filename"`
	CountersData     []byte `json:"counters_data"`
	Timestamp        int64  `json:"timestamp"`
}

func (p *process) coverage(query string) (it covered) {
	p.t.Helper()
	answer := p.ask("GET", "/coverage"+query)
	if answer.StatusCode != http.StatusOK {
		p.t.Fatalf("%s: %s", answer.Status, answer.body)
	}
	if err := json.Unmarshal([]byte(answer.body), &it); err != nil {
		p.t.Fatalf("%v in %s", err, answer.body)
	}
	return it
}

// text writes the files to a folder, where Go's tool turns them into a text profile. Returns its lines of a file.
func text(t *testing.T, file string, meta, counters covered) string {
	t.Helper()
	folder := t.TempDir()
	files := map[string][]byte{meta.MetaFilename: meta.MetaData, counters.CountersFilename: counters.CountersData}
	for name, data := range files {
		if err := os.WriteFile(filepath.Join(folder, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	output := filepath.Join(folder, "text")
	goCommand(t, ".", "tool", "covdata", "textfmt", "-i", folder, "-o", output)
	profile, err := os.ReadFile(output)
	if err != nil {
		t.Fatal(err)
	}
	lines := regexp.MustCompile(`(?m)^`+regexp.QuoteMeta(file)+`:.*\n`).FindAllString(string(profile), -1)
	return strings.Join(lines, "")
}

const work = "example.com/service/work.go"

// worked is the profile of that file after so many calls.
func worked(calls int) string {
	return fmt.Sprintf("%s:5.13,7.15 2 %d\n%s:7.15,9.3 1 0\n", work, calls, work)
}

func equal(t *testing.T, found, wanted any) {
	t.Helper()
	if !reflect.DeepEqual(found, wanted) {
		t.Errorf("found:\n%v\nwanted:\n%v", found, wanted)
	}
}

// ---- answers -----------------------------------------------------------------------------------

func TestCountersGrowWhileTheProcessRuns(t *testing.T) {
	t.Parallel()
	process := start(t, instrumented(t))
	process.work(2)
	whole := process.coverage("")
	equal(t, text(t, work, whole, whole), worked(2))

	process.work(3)
	counters := process.coverage("?nometa=1")
	equal(t, text(t, work, whole, counters), worked(5))
	equal(t, []any{counters.MetaFilename, counters.MetaData}, []any{"", []byte{}})

	process.work(1)
	again := process.coverage("")
	equal(t, text(t, work, again, again), worked(6))
	equal(t, again.MetaData, whole.MetaData)
	process.expect(process.listening())
}

func TestAnswersHaveTheFormOfCoverports(t *testing.T) {
	t.Parallel()
	process := start(t, instrumented(t), "SOURCE_GIT_URL=https://git.example.com/service")
	pid := strconv.Itoa(process.Process.Pid)
	for _, request := range []struct {
		method, path string
		status       int
		kind, body   string
	}{
		{"HEAD", "/", 404, "text/plain; charset=utf-8", ""},
		{"GET", "/v1/cover/coverage", 404, "text/plain; charset=utf-8", "404 page not found\n"},
		{"GET", "/health", 200, "text/plain; charset=utf-8", "coverage server healthy"},
		{"HEAD", "/coverage", 200, "application/json", ""},
		{"GET", "/coverage", 200, "application/json", "?"},
		{"POST", "/coverage?nometa=1", 200, "application/json", "?"},
	} {
		answer := process.ask(request.method, request.path)
		equal(t, []any{answer.StatusCode, answer.Header.Get("Content-Type")}, []any{request.status, request.kind})
		if request.body != "?" {
			equal(t, answer.body, request.body)
		}
		for name, value := range map[string]string{
			"Server": "1", "Pid": pid, "Binary": "service",
			"Source-Commit": "", "Source-Url": "https://git.example.com/service",
		} {
			equal(t, answer.Header.Get("X-Art-Coverage-"+name), value)
		}
	}

	before := time.Now().UnixNano()
	it := process.coverage("")
	if it.Timestamp < before || it.Timestamp > time.Now().UnixNano() {
		t.Errorf("timestamp %d", it.Timestamp)
	}
	hash := fmt.Sprintf("%x", it.MetaData[24:40]) // where Go's tool looks for it
	equal(t, it.MetaFilename, "covmeta."+hash)
	equal(t, it.CountersFilename, fmt.Sprintf("covcounters.%s.%s.%d", hash, pid, it.Timestamp))
}

func TestTheCommitIsThatOfTheBuild(t *testing.T) {
	t.Parallel()
	folder := copyOf(t, "testdata/service")
	goCommand(t, folder, "mod", "edit", "-replace=example.com/goc-watchdog/agent="+absolute(t, "."))
	git := func(arguments ...string) string {
		author := []string{"-c", "user.name=a", "-c", "user.email=a@example.com"}
		command := exec.Command("git", append(author, arguments...)...)
		command.Dir = folder
		command.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_NOSYSTEM=1")
		output, err := command.Output()
		if err != nil {
			t.Fatalf("git %v: %v", arguments, err)
		}
		return strings.TrimSpace(string(output))
	}
	git("init", "-q")
	git("add", ".")
	git("commit", "-q", "-m", "service")
	expect := func(stamp, commit string, lines ...string) {
		t.Helper()
		program := build(t, folder, "-cover", "-covermode=atomic", "-buildvcs="+stamp)
		process := start(t, program, "SOURCE_GIT_COMMIT=845820727e")
		equal(t, process.ask("HEAD", "/").Header.Get("X-Art-Coverage-Source-Commit"), commit)
		process.expect(append(lines, process.listening())...)
	}
	head := git("rev-parse", "HEAD")
	expect("true", head)
	expect("false", "845820727e")

	if err := os.WriteFile(filepath.Join(folder, "generated.txt"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	expect("true", head, "built from modified sources, lines may differ from "+head)
}

func TestARestartBeginsAnew(t *testing.T) {
	t.Parallel()
	for _, times := range []int{3, 1} {
		process := start(t, instrumented(t))
		process.work(times)
		it := process.coverage("")
		equal(t, text(t, work, it, it), worked(times))
		process.Process.Kill()
	}
}

// ---- start -------------------------------------------------------------------------------------

func TestNothingRunsInAProgramWithoutCover(t *testing.T) {
	t.Parallel()
	process := start(t, build(t, "testdata/service"))
	if stacks := process.say("stacks"); strings.Contains(stacks, "goc-watchdog/agent") {
		t.Error(stacks)
	}
	equal(t, process.agentPort(), 0)
	process.end()
	equal(t, process.errors.String(), "")
}

func TestAProductionBuildDoesNotHaveTheAgent(t *testing.T) {
	t.Parallel()
	const agent = "example.com/goc-watchdog/agent"
	without := goCommand(t, "testdata/service", "list", "-deps")
	with := goCommand(t, "testdata/service", "list", "-deps", "-tags=coverage")
	equal(t, []bool{strings.Contains(without, agent), strings.Contains(with, agent)}, []bool{false, true})
}

func TestAModeOtherThanAtomicIsOneLine(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"set", "count"} {
		process := start(t, build(t, "testdata/service", "-cover", "-covermode="+mode))
		words := "WriteCounters invoked for program built with -covermode=" + mode + " (please use -covermode=atomic)"
		answer := process.ask("GET", "/coverage")
		equal(t, []any{answer.StatusCode, answer.body, answer.Header.Get("X-Art-Coverage-Server")}, []any{500, words + "\n", "1"})
		process.expect(words, process.listening())
	}
}

func TestInitMayTakeAnyTime(t *testing.T) {
	t.Parallel()
	process := start(t, instrumented(t), "SLOW_INIT=1")
	for deadline := time.Now().Add(7 * time.Second); time.Now().Before(deadline); time.Sleep(500 * time.Millisecond) {
		equal(t, process.agentPort(), 0)
	}
	fmt.Fprintln(process.input, "initialized")
	process.work(1)
	equal(t, process.coverage("").MetaFilename != "", true)
	process.expect(process.listening())
}

func TestTheRaceDetectorFindsNothing(t *testing.T) {
	t.Parallel()
	if goCommand(t, ".", "env", "CGO_ENABLED") != "1\n" && os.Getenv("GOC_WATCHDOG_REQUIRE_GO") == "" {
		t.Skip("the race detector needs cgo and a C compiler")
	}
	process := start(t, build(t, "testdata/service", "-cover", "-race"))
	process.work(4)
	it := process.coverage("")
	equal(t, text(t, work, it, it), worked(4))
	process.expect(process.listening())
}

func TestEachProcessTakesTheNextFreePort(t *testing.T) {
	t.Parallel()
	first := start(t, instrumented(t))
	eventually(t, "the first serves", func() bool { return first.agentPort() != 0 })
	port := fmt.Sprint("COVERAGE_PORT=", first.agentPort())
	second := start(t, instrumented(t), port)
	second.port = first.agentPort()
	eventually(t, "the second serves", func() bool { return second.agentPort() != 0 })
	if second.agentPort() <= first.agentPort() {
		t.Errorf("ports %d and %d", first.agentPort(), second.agentPort())
	}
	var lines []string
	for port := second.port; port < second.agentPort(); port++ {
		lines = append(lines, fmt.Sprintf("listen tcp 127.0.0.1:%d: bind: address already in use", port))
	}
	second.expect(append(lines, second.listening())...)
}

func TestTheDefaultPortIsCoverports(t *testing.T) {
	t.Parallel()
	process := start(t, instrumented(t), "COVERAGE_PORT=")
	process.port = 53700
	process.ask("HEAD", "/")
}

// Kubernetes sets COVERAGE_PORT=tcp://... in the pods of a namespace that has a Service with the name "coverage".
func TestAPortThatIsNoneIsNamed(t *testing.T) {
	t.Parallel()
	for _, value := range []string{"70000", "tcp://10.96.3.4:53700", "8080x", "-1"} {
		process := start(t, instrumented(t), "COVERAGE_PORT="+value)
		process.port = 53700
		process.ask("HEAD", "/")
		process.end()
		line := said(fmt.Sprintf("COVERAGE_PORT %q is no port number, 53700 is used", value))
		if !strings.HasPrefix(process.errors.String(), noData+line) {
			t.Error(process.errors)
		}
	}
}

// ---- nothing that the service notices ----------------------------------------------------------

func TestAServiceWithoutAPortWorksOn(t *testing.T) {
	t.Parallel()
	process := start(t, instrumented(t), "COVERAGE_HOST=192.0.2.1") // an address of nobody
	eventually(t, "50 failures", func() bool { return strings.Count(process.errors.String(), "\n") == 51 })
	eventually(t, "the agent is gone", func() bool {
		return !strings.Contains(process.say("stacks"), "goc-watchdog/agent")
	})
	process.work(1)
	process.end()
}

func TestRequestsLeaveNoGoroutineBehind(t *testing.T) {
	t.Parallel()
	process := start(t, instrumented(t))
	goroutines := func() int { return strings.Count(process.say("stacks"), "goroutine ") }
	process.ask("HEAD", "/")
	var before int
	eventually(t, "main and the agent are alone", func() bool { before = goroutines(); return before <= 3 })
	for range [50]int{} {
		process.coverage("")
	}
	for range [20]int{} {
		connection, err := net.Dial("tcp", fmt.Sprint("127.0.0.1:", process.agentPort()))
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprint(connection, "GET /coverage HTTP/1.1\r\nHost: a\r\n\r\n")
		connection.Close()
	}
	eventually(t, "no more than before", func() bool { return goroutines() <= before })
}

func TestASilentClientIsCutOff(t *testing.T) {
	t.Parallel()
	process := start(t, instrumented(t))
	process.ask("HEAD", "/")
	connection, err := net.Dial("tcp", fmt.Sprint("127.0.0.1:", process.agentPort()))
	if err != nil {
		t.Fatal(err)
	}
	defer connection.Close()
	fmt.Fprint(connection, "GET /coverage HTTP/1.1\r\n")
	connection.SetDeadline(time.Now().Add(30 * time.Second))
	if _, err := io.ReadAll(connection); err != nil {
		t.Error(err)
	}
}

// ---- a goc center ------------------------------------------------------------------------------

func TestACenterThatFailsAtFirstIsToldTheAddress(t *testing.T) {
	t.Parallel()
	asked, statuses := make(chan string, 9), []int{500, 404, 200}
	center := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked <- r.Method + " " + r.URL.String()
		w.WriteHeader(statuses[0])
		statuses = statuses[1:]
	}))
	defer center.Close()
	process := start(t, instrumented(t), "GOC_CENTER="+center.URL+"/", "GOC_SERVICE_NAME=staging_th_a&b_master_845820727e")
	for range [3]int{} {
		found := <-asked
		address := fmt.Sprintf("http%%3A%%2F%%2F127.0.0.1%%3A%d", process.agentPort())
		equal(t, found, "POST /v1/cover/register?address="+address+"&name=staging_th_a%26b_master_845820727e")
	}
	eventually(t, "nobody registers any more", func() bool {
		return !strings.Contains(process.say("stacks"), "agent.register")
	})
	process.expect(process.listening(),
		"not registered at GOC_CENTER, serves without it, next try in 1s: status 500 Internal Server Error",
		"not registered at GOC_CENTER, serves without it, next try in 2s: status 404 Not Found")
}

func TestAServiceWithoutItsCenterWorksOn(t *testing.T) {
	t.Parallel()
	process := start(t, instrumented(t), fmt.Sprint("GOC_CENTER=http://127.0.0.1:", freePort(t)))
	process.work(1)
	equal(t, process.coverage("").MetaFilename != "", true)
	eventually(t, "the reason is told", func() bool {
		return regexp.MustCompile(`(?m)^coverage agent: not registered at GOC_CENTER, serves without it, next try in 1s: ` +
			`Post "http://127.0.0.1:.*": .*: connection refused$`).MatchString(process.errors.String())
	})
	process.end()
}

// ---- the module --------------------------------------------------------------------------------

func TestTheAgentCountsItselfInAWorkspaceAlone(t *testing.T) {
	t.Parallel()
	const file = "example.com/goc-watchdog/agent/agent.go"
	alone := start(t, instrumented(t)).coverage("")
	equal(t, text(t, file, alone, alone), "")

	folder := copyOf(t, "testdata/service")
	goCommand(t, folder, "mod", "edit", "-replace=example.com/goc-watchdog/agent="+absolute(t, "."))
	goCommand(t, folder, "work", "init", ".", absolute(t, "."))
	workspace := start(t, build(t, folder, "-cover", "-covermode=atomic")).coverage("")
	if text(t, file, workspace, workspace) == "" {
		t.Error("README.md says that it does")
	}
}

func TestTheCommandsOfTheReadmeServeTheCoverageOfAService(t *testing.T) {
	t.Parallel()
	folder := copyOf(t, "../echo")
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	block := func(language string) string {
		_, text, _ := strings.Cut(string(readme), "```"+language+"\n")
		text, _, _ = strings.Cut(text, "```\n")
		return text
	}
	if err := os.WriteFile(filepath.Join(folder, "coverage.go"), []byte(block("go")), 0o600); err != nil {
		t.Fatal(err)
	}
	script := strings.ReplaceAll(block("sh"), "../goc-watchdog/examples/agent/", absolute(t, ".")+"/")
	shell := exec.Command("sh", "-euc", script)
	shell.Dir = folder
	shell.Env = append(os.Environ(), "GOFLAGS=", "GOWORK=")
	if output, err := shell.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s\n%s", err, script, output)
	}
	process := start(t, filepath.Join(folder, "server"))
	if !process.output.Scan() {
		t.Fatal(process.errors)
	}
	_, url, _ := strings.Cut(process.output.Text(), "listening on ")
	if response, err := client.Get(url + "/ping"); err != nil || response.StatusCode != http.StatusOK {
		t.Fatal(response, err)
	}
	it := process.coverage("")
	if !regexp.MustCompile(` 1\n`).MatchString(text(t, "example.com/echo/handlers/handlers.go", it, it)) {
		t.Error("the request is not counted")
	}
}

func TestTheAgentIsShortAndHasNoDependencies(t *testing.T) {
	source, err := os.ReadFile("agent.go")
	if err != nil {
		t.Fatal(err)
	}
	lines := regexp.MustCompile(`(?m)^\s*[^\s/]`).FindAllString(string(source), -1)
	if len(lines) > 90 {
		t.Errorf("%d lines of code", len(lines))
	}
	equal(t, goCommand(t, ".", "list", "-m", "all"), "example.com/goc-watchdog/agent\n")
}

func absolute(t *testing.T, path string) string {
	t.Helper()
	path, err := filepath.Abs(path)
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// copyOf copies a folder to one that the test may change.
func copyOf(t *testing.T, folder string) string {
	t.Helper()
	to := t.TempDir()
	if output, err := exec.Command("cp", "-R", folder+"/.", to).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
	return to
}
