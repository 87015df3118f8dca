/* What a JIT asks of a kernel: implicit null checks and stack banging by SIGSEGV, safepoints
 * by protected pages, many threads, collections, child processes, mapped files, sockets. */
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.MappedByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;

public class Jvm {
	static int first(int[] a) {
		return a[0];
	}

	static int depth(int n) {
		return depth(n + 1) + 1;
	}

	static long churn(int seed) {
		List<byte[]> live = new ArrayList<>();
		long sum = 0;

		for (int i = 0; i < 20000; i++) {
			sum += (i * 31L) ^ seed;
			if (i % 10 == 0)
				live.add(new byte[1000]);
			if (live.size() > 200)
				live.clear();
		}
		return sum;
	}

	public static void main(String[] args) throws Exception {
		int caught = 0;
		for (int i = 0; i < 200000; i++) {
			try {
				first(i % 1000 == 0 ? null : new int[] { i });
			} catch (NullPointerException e) {
				caught++;
			}
		}
		System.out.println("null pointers " + caught);
		for (int i = 0; i < 3; i++) {
			try {
				depth(0);
			} catch (StackOverflowError e) {
				System.out.println("stack overflow");
			}
		}
		ExecutorService pool = Executors.newFixedThreadPool(16);
		List<Future<Long>> results = new ArrayList<>();
		long sum = 0;
		for (int t = 0; t < 64; t++) {
			final int seed = t;
			results.add(pool.submit(() -> churn(seed)));
		}
		for (Future<Long> r : results)
			sum += r.get();
		pool.shutdown();
		System.gc();
		System.out.println("sum " + sum);

		Process p = new ProcessBuilder("/bin/sh", "-c", "echo child; exit 3").start();
		System.out.print(new String(p.getInputStream().readAllBytes()));
		System.out.println("status " + p.waitFor());

		Path f = Files.createTempFile("runsc", null);
		try (FileChannel c = FileChannel.open(f, StandardOpenOption.READ, StandardOpenOption.WRITE)) {
			MappedByteBuffer m = c.map(FileChannel.MapMode.READ_WRITE, 0, 8192);
			m.put(5000, (byte) 7);
			m.force();
			System.out.println("mapped " + Files.readAllBytes(f)[5000] + " of " + c.size());
		}
		Files.delete(f);

		ServerSocket server = new ServerSocket(0, 5, InetAddress.getLoopbackAddress());
		Thread t = new Thread(() -> {
			try (Socket s = server.accept()) {
				s.getOutputStream().write("over the network".getBytes());
			} catch (Exception e) {
				System.out.println(e);
			}
		});
		t.start();
		try (Socket s = new Socket(InetAddress.getLoopbackAddress(), server.getLocalPort())) {
			System.out.println(new String(s.getInputStream().readAllBytes()));
		}
		t.join();
		System.out.println("done");
	}
}
