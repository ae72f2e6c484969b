import Glibc
import SystemRuntime

/// The target that BWMON_FUZZ_TARGET names.
private let target = Environment.value("BWMON_FUZZ_TARGET").flatMap(Target.init(rawValue:))

/// Called by libFuzzer with each input; does not return from one for which a law does not hold.
@_cdecl("LLVMFuzzerTestOneInput")
public func testOneInput(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  // In bounds: libFuzzer's own pointer and count.
  let input = unsafe Array(UnsafeBufferPointer(start: start, count: count))
  guard let target else {
    StandardError.write("BWMON_FUZZ_TARGET must be one of \(Target.allCases.map(\.rawValue))")
    exit(64)
  }
  do throws(Violation) { try target.check(input) } catch {
    StandardError.write("\(target.rawValue): does not hold: \(error)")
    abort()
  }
  return 0
}
