/* Classic BPF: the checks follow bpf_check_classic() and seccomp_check_filter(), the
 * semantics those of the kernel's translation (division by a zero X ends the program
 * with 0, shifts take the low five bits). */
#include "sentry/seccomp/bpf.h"

#include <stdlib.h>
#include <string.h>

#include "platform/base/auto.h"
#include "syscalls/abi/lx_errno.h"

#define OP(class, op, src) (LX_BPF_##class | LX_BPF_##op | LX_BPF_##src)
#define LD_ABS (LX_BPF_LD | LX_BPF_W | LX_BPF_ABS)
#define LD_LEN (LX_BPF_LD | LX_BPF_W | LX_BPF_LEN)
#define LDX_LEN (LX_BPF_LDX | LX_BPF_W | LX_BPF_LEN)
#define LD_IMM (LX_BPF_LD | LX_BPF_IMM)
#define LDX_IMM (LX_BPF_LDX | LX_BPF_IMM)
#define LD_MEM (LX_BPF_LD | LX_BPF_MEM)
#define LDX_MEM (LX_BPF_LDX | LX_BPF_MEM)
#define RET_K (LX_BPF_RET | LX_BPF_K)
#define RET_A (LX_BPF_RET | LX_BPF_A)
#define ALU_NEG (LX_BPF_ALU | LX_BPF_NEG)
#define JA (LX_BPF_JMP | LX_BPF_JA)

#define BOTH_SOURCES(class, op) \
	case OP(class, op, K): \
	case OP(class, op, X)

static bool is_cond_jump(uint16_t code)
{
	switch (code) {
	BOTH_SOURCES(JMP, JEQ):
	BOTH_SOURCES(JMP, JGT):
	BOTH_SOURCES(JMP, JGE):
	BOTH_SOURCES(JMP, JSET):
		return true;
	default:
		return false;
	}
}

/* One instruction by itself; left: how many come after it. */
static bool insn_valid(const struct lx_sock_filter *f, unsigned left)
{
	switch (f->code) {
	case LD_ABS:
		return f->k < sizeof(struct lx_seccomp_data) && !(f->k & 3);
	case LD_LEN:
	case LDX_LEN:
	case LD_IMM:
	case LDX_IMM:
	case RET_K:
	case RET_A:
	case ALU_NEG:
	case LX_BPF_MISC | LX_BPF_TAX:
	case LX_BPF_MISC | LX_BPF_TXA:
	BOTH_SOURCES(ALU, ADD):
	BOTH_SOURCES(ALU, SUB):
	BOTH_SOURCES(ALU, MUL):
	BOTH_SOURCES(ALU, AND):
	BOTH_SOURCES(ALU, OR):
	BOTH_SOURCES(ALU, XOR):
	case OP(ALU, DIV, X):
	case OP(ALU, LSH, X):
	case OP(ALU, RSH, X):
		return true;
	case OP(ALU, DIV, K):
		return f->k != 0;
	case OP(ALU, LSH, K):
	case OP(ALU, RSH, K):
		return f->k < 32;
	case LD_MEM:
	case LDX_MEM:
	case LX_BPF_ST:
	case LX_BPF_STX:
		return f->k < LX_BPF_MEMWORDS;
	case JA:
		return f->k < left;
	default:
		return is_cond_jump(f->code) && f->jt < left && f->jf < left;
	}
}

/* No word of M[] is loaded that some path left unset. valid[i]: words that are set on
 * every path to instruction i. */
static bool loads_valid(const struct lx_sock_filter *prog, unsigned n, uint16_t *valid)
{
	uint16_t set = 0;

	memset(valid, 0xff, n * sizeof(*valid));
	for (unsigned i = 0; i < n; i++) {
		const struct lx_sock_filter *f = &prog[i];

		set &= valid[i];
		switch (f->code) {
		case LX_BPF_ST:
		case LX_BPF_STX:
			set |= (uint16_t)(1u << f->k);
			break;
		case LD_MEM:
		case LDX_MEM:
			if (!(set & (1u << f->k)))
				return false;
			break;
		case JA:
			valid[i + 1 + f->k] &= set;
			set = UINT16_MAX;
			break;
		default:
			if (!is_cond_jump(f->code))
				break;
			valid[i + 1 + f->jt] &= set;
			valid[i + 1 + f->jf] &= set;
			set = UINT16_MAX;
			break;
		}
	}
	return true;
}

int bpf_check(const struct lx_sock_filter *prog, unsigned n)
{
	AUTO_FREE uint16_t *valid = NULL;

	for (unsigned i = 0; i < n; i++)
		if (!insn_valid(&prog[i], n - i - 1))
			return -LX_EINVAL;
	if (prog[n - 1].code != RET_K && prog[n - 1].code != RET_A)
		return -LX_EINVAL;
	valid = malloc(n * sizeof(*valid));
	if (!valid)
		return -LX_ENOMEM;
	return loads_valid(prog, n, valid) ? 0 : -LX_EINVAL;
}

/* bpf_convert_filter(): how many instructions one becomes. */
static unsigned insn_cost(const struct lx_sock_filter *f)
{
	unsigned cost = 1;

	if (f->code == RET_K)
		return 2;
	if (f->code == OP(ALU, DIV, X))
		return 5;
	if (!is_cond_jump(f->code))
		return 1;
	/* An immediate that is negative as a signed number goes through a register. */
	if (!(f->code & LX_BPF_X) && (int32_t)f->k < 0)
		cost++;
	if (f->jf == 0)
		return cost;
	if (f->jt == 0 && (f->code & LX_BPF_OP_MASK) != LX_BPF_JSET)
		return cost;
	return cost + 1;
}

unsigned bpf_cost(const struct lx_sock_filter *prog, unsigned n)
{
	unsigned cost = 3; /* A and X are cleared, the context is kept */

	for (unsigned i = 0; i < n; i++)
		cost += insn_cost(&prog[i]);
	return cost;
}

static bool jump_taken(uint16_t code, uint32_t a, uint32_t b)
{
	switch (code & LX_BPF_OP_MASK) {
	case LX_BPF_JEQ:
		return a == b;
	case LX_BPF_JGT:
		return a > b;
	case LX_BPF_JGE:
		return a >= b;
	default:
		return (a & b) != 0;
	}
}

/* False: division by zero. */
static bool alu(uint16_t code, uint32_t *a, uint32_t b)
{
	switch (code & LX_BPF_OP_MASK) {
	case LX_BPF_ADD:
		*a += b;
		break;
	case LX_BPF_SUB:
		*a -= b;
		break;
	case LX_BPF_MUL:
		*a *= b;
		break;
	case LX_BPF_DIV:
		if (b == 0)
			return false;
		*a /= b;
		break;
	case LX_BPF_OR:
		*a |= b;
		break;
	case LX_BPF_AND:
		*a &= b;
		break;
	case LX_BPF_LSH:
		*a <<= b & 31;
		break;
	case LX_BPF_RSH:
		*a >>= b & 31;
		break;
	case LX_BPF_NEG:
		*a = -*a;
		break;
	default:
		*a ^= b;
		break;
	}
	return true;
}

uint32_t bpf_run(const struct lx_sock_filter *f, const struct lx_seccomp_data *d)
{
	uint32_t a = 0, x = 0, mem[LX_BPF_MEMWORDS];

	for (;; f++) {
		uint32_t src = f->code & LX_BPF_X ? x : f->k;

		switch (f->code) {
		case LD_ABS:
			memcpy(&a, (const char *)d + f->k, sizeof(a));
			break;
		case LD_LEN:
			a = sizeof(*d);
			break;
		case LDX_LEN:
			x = sizeof(*d);
			break;
		case LD_IMM:
			a = f->k;
			break;
		case LDX_IMM:
			x = f->k;
			break;
		case LD_MEM:
			a = mem[f->k];
			break;
		case LDX_MEM:
			x = mem[f->k];
			break;
		case LX_BPF_ST:
			mem[f->k] = a;
			break;
		case LX_BPF_STX:
			mem[f->k] = x;
			break;
		case LX_BPF_MISC | LX_BPF_TAX:
			x = a;
			break;
		case LX_BPF_MISC | LX_BPF_TXA:
			a = x;
			break;
		case RET_K:
			return f->k;
		case RET_A:
			return a;
		case JA:
			f += f->k;
			break;
		default:
			if ((f->code & LX_BPF_CLASS_MASK) == LX_BPF_JMP)
				f += jump_taken(f->code, a, src) ? f->jt : f->jf;
			else if (!alu(f->code, &a, src))
				return 0;
			break;
		}
	}
}

bool bpf_always_allows(const struct lx_sock_filter *f, int32_t nr)
{
	uint32_t a = 0;

	for (;; f++) {
		switch (f->code) {
		case LD_ABS:
			if (f->k == 0)
				a = (uint32_t)nr;
			else if (f->k == 4)
				a = LX_AUDIT_ARCH_X86_64;
			else
				return false;
			break;
		case RET_K:
			return f->k == LX_SECCOMP_RET_ALLOW;
		case JA:
			f += f->k;
			break;
		case OP(JMP, JEQ, K):
		case OP(JMP, JGT, K):
		case OP(JMP, JGE, K):
		case OP(JMP, JSET, K):
			f += jump_taken(f->code, a, f->k) ? f->jt : f->jf;
			break;
		case OP(ALU, AND, K):
			a &= f->k;
			break;
		default:
			return false;
		}
	}
}
