/* getrandom(2). */
#ifndef SYSCALLS_ABI_LX_RANDOM_H
#define SYSCALLS_ABI_LX_RANDOM_H

#define LX_GRND_NONBLOCK 1u
#define LX_GRND_RANDOM 2u
#define LX_GRND_INSECURE 4u

#endif
