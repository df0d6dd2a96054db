//! Run-time choice between the portable copy of a kernel and one compiled for AVX2.

#[cfg(target_arch = "x86_64")]
pub(crate) mod avx2;
#[cfg(target_arch = "x86_64")]
mod tile;

/// A loop over slices that is compiled once per instruction set.
///
/// `run` must be `#[inline(always)]`, so that its body takes the features of its caller.
pub(crate) trait Kernel {
    fn run(self);
}

/// Runs `kernel` in the best copy this processor supports.
#[inline]
pub(crate) fn dispatch<K: Kernel>(kernel: K) {
    #[cfg(target_arch = "x86_64")]
    if let Some(avx2) = avx2::Avx2::new() {
        return avx2.run(kernel);
    }
    kernel.run();
}

/// Declares a function over slices whose body goes through [`dispatch`].
macro_rules! dispatched {
    ($(#[$meta:meta])* $vis:vis fn $name:ident<W: Word>($($arg:ident: $ty:ty),* $(,)?) $body:block) => {
        $(#[$meta])*
        $vis fn $name<W: Word>($($arg: $ty),*) {
            struct Work<T>(T);
            impl<W: Word> $crate::backend::Kernel for Work<($($ty,)*)> {
                #[inline(always)]
                fn run(self) {
                    let Self(($($arg,)*)) = self;
                    $body
                }
            }
            $crate::backend::dispatch(Work(($($arg,)*)));
        }
    };
}
pub(crate) use dispatched;

/// Runs `f` on this thread with the portable copies only.
#[cfg(test)]
pub(crate) fn portable<T>(f: impl FnOnce() -> T) -> T {
    FORCE_PORTABLE.with(|force| force.set(true));
    let out = f();
    FORCE_PORTABLE.with(|force| force.set(false));
    out
}

#[cfg(test)]
thread_local! {
    static FORCE_PORTABLE: core::cell::Cell<bool> = const { core::cell::Cell::new(false) };
}
