extension RawSpan {
  /// The value in host order that starts at `offset`; nil when it does not fit.
  ///
  /// Inlinable, because other modules decode with it and would call it unspecialized: ten times as slow.
  @inlinable @inline(__always)
  package func load<Value: FixedWidthInteger & BitwiseCopyable>(
    _ offset: Int, as type: Value.Type = Value.self
  )
    -> Value?
  {
    guard offset >= 0, byteCount - offset >= MemoryLayout<Value>.size else { return nil }
    // In bounds: checked in the line above; any bit pattern is an integer.
    return unsafe unsafeLoadUnaligned(fromUncheckedByteOffset: offset, as: type)
  }

  /// The value in network order that starts at `offset`; nil when it does not fit.
  @inlinable @inline(__always)
  package func loadBigEndian<Value: FixedWidthInteger & BitwiseCopyable>(
    _ offset: Int, as type: Value.Type = Value.self
  ) -> Value? {
    load(offset, as: type)?.bigEndian
  }
}
