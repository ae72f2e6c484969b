import Glibc

/// A thread for what cannot be undone in one, such as entering a namespace.
public enum OtherThread {
  private final class Work {
    let body: () -> Void

    init(_ body: @escaping () -> Void) { self.body = body }
  }

  /// Runs `body` on a new thread, which ends with it; returns after that.
  public static func run(_ body: @escaping () -> Void) {
    let work = Work(body)
    var thread = pthread_t()
    let result = unsafe pthread_create(
      &thread, nil,
      { argument in
        if let argument = unsafe argument {
          unsafe Unmanaged<Work>.fromOpaque(argument).takeUnretainedValue().body()
        }
        return nil
      }, unsafe Unmanaged.passUnretained(work).toOpaque())
    if result == 0 { pthread_join(thread, nil) }
  }
}
