import CLinux
import Glibc
import SystemPackage

/// A thread of its own for work that waits in the kernel.
public enum WorkerThread {
  /// Starts a thread that runs `body` to its end; `name`, of at most 15 bytes, is what ps(1) and top(1) show.
  /// With `comesFirst` it is the one that keeps CAP_SYS_NICE for `RealTimeThread`, or a new one while that is in use.
  public static func start(
    _ name: String, comesFirst: Bool = false, _ body: sending @escaping () -> Void
  ) throws(KernelError) {
    let work = Work(name, body)
    let argument = unsafe Unmanaged.passRetained(work).toOpaque()
    // The new thread takes over the retained work; if there is no new thread, nobody does.
    let code = unsafe clinux_start_thread(runWork, argument, comesFirst ? 1 : 0)
    guard code == 0 else {
      unsafe Unmanaged<Work>.fromOpaque(argument).release()
      throw .failed("starting a thread", Errno(rawValue: code))
    }
  }
}

private final class Work {
  let name: String
  let body: () -> Void

  init(_ name: String, _ body: @escaping () -> Void) {
    self.name = name
    self.body = body
  }
}

/// A global function: a closure could be isolated to another thread's actor.
private func runWork(_ argument: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
  guard let argument = unsafe argument else { return nil }
  let work = unsafe Unmanaged<Work>.fromOpaque(argument).takeRetainedValue()
  // Another thread's name would be a file to write, which a fence refuses.
  _ = unsafe clinux_name_thread(pthread_self(), work.name)
  work.body()
  return nil
}
