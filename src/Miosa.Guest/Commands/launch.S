# The part of starting a command that runs where managed code must not: between clone and execve.
#
#   as --64 -o launch.o launch.S && objcopy -O binary -j .text launch.o launch.bin
#
# LaunchStub.cs embeds the bytes; Launch_stub_matches_its_source (Miosa.Guest.Tests) assembles this file again and compares.
#
# The guest has threads. A copy made by clone has only the calling one, so managed code in the copy may wait for a collection that nobody
# runs, and a signal handler of the runtime may run in it. Therefore: all signals are blocked across the clone, nothing but raw system
# calls follows it, and everything they need was prepared in native memory (LaunchPlan.cs).
#
#   1  guest        block signals, clone(CLONE_VM) the supervisor on its own stack, restore signals, return its pid or -errno
#   2  supervisor   run its steps: child subreaper, descriptors 0..3 in place, everything above closed
#   3  supervisor   clone(CLONE_VM|CLONE_VFORK) the command: it runs its steps, of which the last are execve
#   4  supervisor   tell the guest: started, or failed (the steps hold their results; the memory is shared)
#   5  supervisor   reap every child until the command has ended, tell its status, end
#
# CLONE_VM: the supervisor shares the guest's memory, so it costs no page tables and no copy on write.
# Its exit signal is 0: wait4(-1) of the guest's reaper does not see it, only a wait for its pid with __WALL does.

        .intel_syntax noprefix
        .text

        # context, offsets
        .equ    ALL_SIGNALS, 0          # u64, all ones
        .equ    OLD_SIGNALS, 8          # u64, out
        .equ    STACK,       16         # top of the supervisor's stack
        .equ    SUPERVISOR,  24         # its steps
        .equ    COMMAND,     32         # the command's steps
        .equ    FAILED,      40         # i64, out: 1 when a step failed, -errno when the command could not be cloned
        .equ    KIND,        48         # i32, message: 1 started, 2 ended, 3 failed
        .equ    VALUE,       52         # i32, message: pid or wait status
        .equ    PID,         56         # i32, out: the command's pid, written by the kernel before the command runs

        # step, offsets: number, go on after failure, six arguments, result
        .equ    STEP_FLAGS,  8
        .equ    STEP_ARGS,   16
        .equ    STEP_RESULT, 64
        .equ    STEP_SIZE,   72

        # ---- 1 ----
launch:                                 # rdi = context
        push    rbx
        push    r12
        push    r13
        mov     rbx, rdi
        mov     eax, 14                 # rt_sigprocmask(SIG_SETMASK, &all, &old, 8)
        mov     edi, 2
        lea     rsi, [rbx + ALL_SIGNALS]
        lea     rdx, [rbx + OLD_SIGNALS]
        mov     r10d, 8
        syscall
        mov     eax, 56                 # clone(CLONE_VM, stack, 0, 0, 0)
        mov     edi, 0x100
        mov     rsi, [rbx + STACK]
        xor     edx, edx
        xor     r10d, r10d
        xor     r8d, r8d
        syscall
        test    rax, rax
        jz      supervisor
        mov     r12, rax
        mov     eax, 14                 # rt_sigprocmask(SIG_SETMASK, &old, 0, 8)
        mov     edi, 2
        lea     rsi, [rbx + OLD_SIGNALS]
        xor     edx, edx
        mov     r10d, 8
        syscall
        mov     rax, r12
        pop     r13
        pop     r12
        pop     rbx
        ret

        # ---- 2 ----
supervisor:
        mov     r12, [rbx + SUPERVISOR]
        call    steps
        jc      failed

        # ---- 3 ----
        mov     eax, 56                 # clone(CLONE_VM | CLONE_VFORK | CLONE_PARENT_SETTID | SIGCHLD, same stack: ours again after execve)
        mov     edi, 0x104111
        xor     esi, esi
        lea     rdx, [rbx + PID]
        xor     r10d, r10d
        xor     r8d, r8d
        syscall
        test    rax, rax
        jz      command
        js      not_cloned
        mov     r13, rax

        # ---- 4 ----
        cmp     qword ptr [rbx + FAILED], 0
        jne     tell_failed
        mov     dword ptr [rbx + KIND], 1
        mov     dword ptr [rbx + VALUE], r13d
        call    tell
        xor     edi, edi                # close(0), close(1), close(2): the pipes must end with the command
        mov     eax, 3
        syscall
        mov     edi, 1
        mov     eax, 3
        syscall
        mov     edi, 2
        mov     eax, 3
        syscall

        # ---- 5 ----
reap:
        mov     eax, 61                 # wait4(-1, &status, __WALL, 0)
        mov     rdi, -1
        lea     rsi, [rbx + VALUE]
        mov     edx, 0x40000000
        xor     r10d, r10d
        syscall
        cmp     rax, -10                # ECHILD: cannot be while the command is ours; never spin
        je      exit
        cmp     rax, r13
        jne     reap
        mov     dword ptr [rbx + KIND], 2
        call    tell
        jmp     exit

not_cloned:
        mov     [rbx + FAILED], rax
        jmp     tell_failed
failed:
        mov     qword ptr [rbx + FAILED], 1
tell_failed:
        mov     dword ptr [rbx + KIND], 3
        call    tell
exit:
        mov     eax, 231                # exit_group(127)
        mov     edi, 127
        syscall

        # ---- the command ----
command:
        mov     r12, [rbx + COMMAND]
        call    steps                   # execve does not come back when it works
        mov     qword ptr [rbx + FAILED], 1
        jmp     exit

        # ---- write(3, message, 8) ----
tell:
        mov     eax, 1
        mov     edi, 3
        lea     rsi, [rbx + KIND]
        mov     edx, 8
        syscall
        ret

        # ---- run the steps at r12 until number -1; carry set when one failed that may not ----
steps:
        mov     rax, [r12]
        test    rax, rax
        js      done
        mov     rdi, [r12 + STEP_ARGS]
        mov     rsi, [r12 + STEP_ARGS + 8]
        mov     rdx, [r12 + STEP_ARGS + 16]
        mov     r10, [r12 + STEP_ARGS + 24]
        mov     r8,  [r12 + STEP_ARGS + 32]
        mov     r9,  [r12 + STEP_ARGS + 40]
        syscall
        mov     [r12 + STEP_RESULT], rax
        cmp     rax, -4095
        jb      next                    # unsigned: only -4095..-1 are above
        cmp     qword ptr [r12 + STEP_FLAGS], 0
        je      stop
next:
        add     r12, STEP_SIZE
        jmp     steps
done:
        clc
        ret
stop:
        stc
        ret

        # ---- the handler of SIGCHLD: write(fd, &one, 8) to an eventfd; the guest's main thread reaps ----
        # Not managed code either: a handler may interrupt any thread anywhere. LaunchStub.cs fills in the descriptor.
        .balign 16
child_ended:
        mov     eax, 1
        mov     edi, [rip + event]
        lea     rsi, [rip + one]
        mov     edx, 8
        syscall
        ret
        .balign 8
one:    .quad   1
event:  .quad   0
