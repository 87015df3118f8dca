// What Node and V8 ask of a kernel: worker threads, epoll, child processes with IPC
// channels, file watching, the thread pool, stack overflow, signals.
const { Worker, isMainThread, parentPort } = require('worker_threads');
const childProcess = require('child_process');
const crypto = require('crypto');
const fs = require('fs');
const http = require('http');
const os = require('os');
const path = require('path');
const zlib = require('zlib');

function get(port, url) {
	return new Promise((resolve, reject) => {
		http.get({ port, host: '127.0.0.1', path: url, agent: false }, (m) => {
			let body = '';
			m.on('data', (d) => { body += d; });
			m.on('end', () => resolve(body));
		}).on('error', reject);
	});
}

async function main() {
	const sums = await Promise.all([1, 2, 3, 4].map(() => new Promise((resolve, reject) => {
		const w = new Worker(__filename);
		w.on('message', resolve);
		w.on('error', reject);
	})));
	console.log('workers', sums.join());

	const server = http.createServer((q, r) => r.end('hi ' + q.url));
	await new Promise((r) => server.listen(0, '127.0.0.1', r));
	const answers = await Promise.all(Array.from({ length: 50 },
		(_, i) => get(server.address().port, '/' + i)));
	console.log(answers[49]);
	server.close();

	console.log(childProcess.execSync('echo from a shell').toString().trim());
	const child = childProcess.fork(__filename, ['child']);
	console.log(await new Promise((r) => child.on('message', r)));
	child.kill('SIGTERM');
	console.log(await new Promise((r) => child.on('exit', (code, sig) => r(sig))));

	const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'runsc-'));
	const event = new Promise((resolve) => {
		const w = fs.watch(dir, (kind, name) => { w.close(); resolve(kind + ' ' + name); });
	});
	fs.writeFileSync(dir + '/a', 'x'.repeat(100000));
	console.log(await event);
	await Promise.all(Array.from({ length: 100 },
		(_, i) => fs.promises.writeFile(dir + '/f' + i, 'y' + i)));
	console.log(fs.readdirSync(dir).length);
	fs.rmSync(dir, { recursive: true });

	console.log('gzip', zlib.gzipSync(Buffer.alloc(1 << 20)).length);
	console.log(await new Promise((resolve, reject) => crypto.pbkdf2('a', 'b', 10000, 32, 'sha256',
		(e, b) => (e ? reject(e) : resolve(b.toString('hex').slice(0, 8))))));
	try {
		(function f() { f(); })();
	} catch (e) {
		console.log(e.constructor.name);
	}
	let ticks = 0;
	await new Promise((resolve) => {
		const t = setInterval(() => {
			if (++ticks === 50) {
				clearInterval(t);
				resolve();
			}
		}, 1);
	});
	console.log('ticks', ticks);
	process.on('SIGUSR2', () => { console.log('signal'); process.exit(0); });
	process.kill(process.pid, 'SIGUSR2');
	setTimeout(() => process.exit(1), 5000);
}

if (!isMainThread) {
	let s = 0;
	for (let i = 0; i < 1e6; i++)
		s += i % 7;
	parentPort.postMessage(s);
} else if (process.argv[2] === 'child') {
	process.send('ready');
	setInterval(() => {}, 1000);
} else {
	main();
}
