/* The few instructions that the conformance snippets are made of. */
#include <signal.h>
#include <string.h>

#include "platform/fake/fake_impl.h"

static uint64_t *reg(struct plat_regs *r, unsigned n)
{
	switch (n) {
	case 0: return &r->rax;
	case 1: return &r->rcx;
	case 2: return &r->rdx;
	case 3: return &r->rbx;
	case 5: return &r->rbp;
	case 6: return &r->rsi;
	case 7: return &r->rdi;
	default: return &r->rsp;
	}
}

static bool fault(struct plat_trap *t, int signo, int code, uint64_t addr, uint64_t trapno)
{
	*t = (struct plat_trap){ .kind = PLAT_TRAP_FAULT, .signo = signo, .code = code,
				 .addr = addr, .trapno = trapno };
	return true;
}

bool fake_step(struct plat_thread *th, struct plat_trap *t)
{
	struct plat_regs *r = &th->regs;
	uint8_t c[16] = { 0 };
	uint32_t imm;

	if (fake_copy(th->as, r->rip, c, sizeof(c), false) < 1)
		return fault(t, SIGSEGV, 1, r->rip, 14);
	if (c[0] == 0x0f && c[1] == 0x05) { /* syscall */
		r->rip += 2;
		*t = (struct plat_trap){ .kind = PLAT_TRAP_SYSCALL };
		return true;
	}
	if (c[0] == 0x0f && c[1] == 0x0b) /* ud2 */
		return fault(t, SIGILL, 2, r->rip, 6);
	if ((c[0] & 0xf8) == 0xb8) { /* mov $imm32, %r32 */
		memcpy(&imm, c + 1, 4);
		*reg(r, c[0] & 7) = imm;
		r->rip += 5;
	} else if (c[0] == 0x48 && (c[1] & 0xf8) == 0xb8) { /* movabs $imm64, %r64 */
		memcpy(reg(r, c[1] & 7), c + 2, 8);
		r->rip += 10;
	} else if (c[0] == 0x48 && c[1] == 0xc7 && (c[2] & 0xf8) == 0xc0) { /* mov $simm32, %r64 */
		memcpy(&imm, c + 3, 4);
		*reg(r, c[2] & 7) = (uint64_t)(int64_t)(int32_t)imm;
		r->rip += 7;
	} else if (c[0] == 0x48 && c[1] == 0x89 && c[2] >= 0xc0) { /* mov %r64, %r64 */
		*reg(r, c[2] & 7) = *reg(r, (c[2] >> 3) & 7);
		r->rip += 3;
	} else if (c[0] == 0x48 && c[1] == 0x8b && c[2] < 0x40) { /* mov (%r64), %r64 */
		uint64_t v, at = *reg(r, c[2] & 7);

		if (fake_copy(th->as, at, &v, 8, false) != 8)
			return fault(t, SIGSEGV, 1, at, 14);
		*reg(r, (c[2] >> 3) & 7) = v;
		r->rip += 3;
	} else if (c[0] == 0x48 && c[1] == 0xff && (c[2] & 0xf8) == 0xc0) { /* inc %r64 */
		++*reg(r, c[2] & 7);
		r->rip += 3;
	} else if (c[0] == 0x31 && c[1] >= 0xc0) { /* xor of a register with itself */
		*reg(r, c[1] & 7) = 0;
		r->rip += 2;
	} else if (c[0] == 0xf7 && c[1] == 0xf1) { /* div %ecx */
		if ((uint32_t)r->rcx == 0)
			return fault(t, SIGFPE, 1, r->rip, 0);
		r->rax = (uint32_t)r->rax / (uint32_t)r->rcx;
		r->rip += 2;
	} else if (c[0] == 0xeb) { /* jmp */
		r->rip += 2 + (uint64_t)(int64_t)(int8_t)c[1];
	} else if (c[0] == 0xcd) { /* int: no 32-bit entry */
		return fault(t, SIGSEGV, 128, 0, 13);
	} else {
		return fault(t, SIGILL, 2, r->rip, 6);
	}
	return false;
}
