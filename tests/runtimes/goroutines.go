// What the Go runtime asks of a kernel: pre-emption of tight loops by signals, netpoll,
// child processes, signal handling, faults turned into panics, timers.
package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"sync"
	"syscall"
	"time"
)

func tight(n int) int {
	s := 0
	for i := 0; i < n; i++ {
		s += i ^ (s << 1)
	}
	return s
}

func preemption() {
	runtime.GOMAXPROCS(4)
	for i := 0; i < 4; i++ {
		go tight(1 << 30)
	}
	// A collection stops the world, so it ends only if the loops can be interrupted.
	for i := 0; i < 5; i++ {
		runtime.GC()
	}
	fmt.Println("pre-emption")
}

func channels() {
	var wg sync.WaitGroup
	ch := make(chan int, 16)
	sum := 0
	for i := 0; i < 1000; i++ {
		wg.Add(1)
		go func(i int) { defer wg.Done(); ch <- i }(i)
	}
	go func() { wg.Wait(); close(ch) }()
	for v := range ch {
		sum += v
	}
	fmt.Println("sum", sum)
}

func network() {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Println(err)
		return
	}
	go http.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, "hello "+r.URL.Path)
	}))
	last := ""
	for i := 0; i < 50; i++ {
		r, err := http.Get(fmt.Sprintf("http://%s/%d", l.Addr(), i))
		if err != nil {
			fmt.Println(err)
			return
		}
		b, _ := io.ReadAll(r.Body)
		r.Body.Close()
		last = string(b)
	}
	fmt.Println(last)
}

func children() {
	out, err := exec.Command("/bin/sh", "-c", "echo $((6*7))").Output()
	fmt.Print(string(out))
	for i := 0; i < 20 && err == nil; i++ {
		err = exec.Command("/bin/true").Run()
	}
	fmt.Println(err, exec.Command("/bin/sh", "-c", "exit 5").Run())
}

func signals() {
	c := make(chan os.Signal, 1)
	signal.Notify(c, syscall.SIGUSR1)
	syscall.Kill(os.Getpid(), syscall.SIGUSR1)
	fmt.Println(<-c)
	defer func() { fmt.Println(recover()) }()
	var p *int
	*p = 1
}

func main() {
	channels()
	network()
	children()
	signals()
	t := time.NewTicker(time.Millisecond)
	for i := 0; i < 100; i++ {
		<-t.C
	}
	preemption()
	fmt.Println("done")
}
