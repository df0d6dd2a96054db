//! Run-time choice between the portable copy of a kernel and one compiled for AVX2.

#[cfg(target_arch = "x86_64")]
pub(crate) mod avx2;
#[cfg(target_arch = "x86_64")]
mod tile;

/// A loop over slices that [`dispatch`] compiles once per instruction set.
pub trait Kernel {
    /// The loop. It must be `#[inline(always)]`, and so must be what it calls in its hot part: only
    /// code that is inlined takes the instructions of its caller. Called directly it is the
    /// portable copy, against which a test can hold the other.
    fn run(self);
}

/// Runs the best copy of `kernel` that this processor supports. The result does not depend on which one that is.
///
/// ```
/// use ring_arith::{Kernel, dispatch};
///
/// struct Double<'a>(&'a mut [u32]);
///
/// impl Kernel for Double<'_> {
///     #[inline(always)]
///     fn run(self) {
///         self.0.iter_mut().for_each(|x| *x = x.wrapping_mul(2));
///     }
/// }
///
/// let mut x = [1, 2, 3];
/// dispatch(Double(&mut x));
/// assert_eq!(x, [2, 4, 6]);
/// ```
#[inline]
pub fn dispatch<K: Kernel>(kernel: K) {
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
