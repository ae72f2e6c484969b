import Synchronization
import SystemRuntime
import SystemPackage

/// A splice pipe with an owner who may change.
final class PooledPipe {
  let pipe: SplicePipe

  init(_ pipe: consuming SplicePipe) { self.pipe = pipe }
}

/// Empty pipes of one worker, for whoever moves bytes next.
///
/// A connection holds a pipe only while bytes are in it, so a few serve thousands.
final class PipePool {
  /// How many pipes all workers of an engine may have.
  final class Allowance: Sendable {
    private let left: Atomic<Int>

    init(_ count: Int) { left = Atomic(count) }

    fileprivate func take() -> Bool {
      if left.wrappingSubtract(1, ordering: .relaxed).newValue >= 0 { return true }
      left.wrappingAdd(1, ordering: .relaxed)
      return false
    }

    fileprivate func giveBack() { left.wrappingAdd(1, ordering: .relaxed) }
  }

  private static let capacity = 1 << 20
  private static let keptLimit = 16

  private let allowance: Allowance
  private var free: [PooledPipe] = []

  init(_ allowance: Allowance) { self.allowance = allowance }

  /// An empty pipe; nil when there are too many, or the system has no more.
  func take() -> PooledPipe? {
    if let pipe = free.popLast() { return pipe }
    guard allowance.take() else { return nil }
    do throws(Errno) { return PooledPipe(try SplicePipe(capacity: Self.capacity)) } catch {
      allowance.giveBack()
      return nil
    }
  }

  /// Takes back a pipe; one that still holds bytes is closed with them.
  func giveBack(_ pipe: PooledPipe, isEmpty: Bool) {
    if isEmpty && free.count < Self.keptLimit { free.append(pipe) } else { allowance.giveBack() }
  }
}
