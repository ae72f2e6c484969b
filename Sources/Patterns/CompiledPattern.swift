import CPCRE2

/// The one owner of an expression that PCRE2 has compiled.
///
/// Safe to use: the pointer inside is made and freed here and never leaves.
@safe final class CompiledPattern: Sendable {
  /// Steps of one attempt at one place of the text (pcre2api(3), pcre2_set_match_limit).
  private static let matchLimit: UInt32 = 1_000_000
  /// Nested places to go back to, where just-in-time code is not used.
  private static let depthLimit: UInt32 = 250_000
  /// Memory of one search for places to go back to, in KiB, where just-in-time code is not used.
  private static let heapLimit: UInt32 = 16 << 10

  // PCRE2 only reads the code once it is compiled ("thread-safe, can be used by several threads",
  // pcre2api(3), Multithreading), and only `deinit` frees it.
  private nonisolated(unsafe) let code: OpaquePointer

  init(_ source: String) throws(PatternError) {
    var number: CInt = 0
    var offset = 0
    let context = unsafe pcre2_compile_context_create_8(nil)
    defer { unsafe pcre2_compile_context_free_8(context) }
    // Python's `.` stops at a line feed only, whatever this PCRE2 was built for.
    if unsafe context != nil { unsafe _ = pcre2_set_newline_8(context, UInt32(PCRE2_NEWLINE_LF)) }
    // A callout before each item lets `StepCounter` see all work, of all attempts together. `\C` could stop
    // inside a character.
    let options =
      PCRE2_UTF | PCRE2_UCP | PCRE2_MATCH_INVALID_UTF | PCRE2_AUTO_CALLOUT | PCRE2_NEVER_BACKSLASH_C
    var text = source
    let code = text.withUTF8 { bytes in
      // An empty buffer may have no address, and PCRE2 wants one.
      var nothing: UInt8 = 0
      return unsafe withUnsafePointer(to: &nothing) { empty in
        unsafe pcre2_compile_8(bytes.baseAddress ?? empty, bytes.count, options, &number, &offset, context)
      }
    }
    guard let code = unsafe code else {
      throw PatternError(
        message: Self.message(number),
        offset: String(decoding: source.utf8.prefix(offset), as: UTF8.self).count)
    }
    // Where just-in-time code is not allowed (SELinux, MemoryDenyWriteExecute) PCRE2 interprets: slower, same result.
    unsafe _ = pcre2_jit_compile_8(code, PCRE2_JIT_COMPLETE)
    unsafe self.code = code
  }

  deinit { unsafe pcre2_code_free_8(code) }

  func search(_ text: String) -> SearchResult {
    guard let match = unsafe pcre2_match_data_create_8(1, nil) else { return .gaveUp }
    defer { unsafe pcre2_match_data_free_8(match) }
    guard let context = unsafe pcre2_match_context_create_8(nil) else { return .gaveUp }
    defer { unsafe pcre2_match_context_free_8(context) }
    unsafe _ = pcre2_set_match_limit_8(context, Self.matchLimit)
    unsafe _ = pcre2_set_depth_limit_8(context, Self.depthLimit)
    unsafe _ = pcre2_set_heap_limit_8(context, Self.heapLimit)

    var text = text
    var steps = StepCounter()
    // The counter and the text outlive the call, which keeps neither.
    let result = unsafe withUnsafeMutablePointer(to: &steps) { steps in
      unsafe _ = pcre2_set_callout_8(context, countStep, steps)
      return text.withUTF8 { bytes in
        var nothing: UInt8 = 0
        return unsafe withUnsafePointer(to: &nothing) { empty in
          let start = unsafe bytes.baseAddress ?? empty
          let result = unsafe pcre2_match_8(code, start, bytes.count, 0, 0, match, context)
          // Just-in-time code has a small stack; the interpreter uses the heap.
          guard result == PCRE2_ERROR_JIT_STACKLIMIT else { return result }
          return unsafe pcre2_match_8(code, start, bytes.count, 0, PCRE2_NO_JIT, match, context)
        }
      }
    }
    // Zero: matched, with more groups than the match data hold. Any error but NOMATCH is a limit.
    if result >= 0 { return .found }
    return result == PCRE2_ERROR_NOMATCH ? .notFound : .gaveUp
  }

  private static func message(_ number: CInt) -> String {
    var buffer = [UInt8](repeating: 0, count: 256)
    let length = unsafe buffer.withUnsafeMutableBufferPointer { buffer in
      unsafe pcre2_get_error_message_8(number, buffer.baseAddress, buffer.count)
    }
    guard length > 0 else { return "error \(number)" }
    return String(decoding: buffer.prefix(Int(length)), as: UTF8.self)
  }
}
