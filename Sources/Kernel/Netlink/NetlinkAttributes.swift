/// Calls `body` with the type and payload of each attribute in `payload` (netlink(7), struct nlattr).
///
/// Returns false when the bytes end inside an attribute or one claims an impossible length; what came before
/// has been handed over. A length below the header's ends the walk, so it never loops. The flags for nesting
/// and byte order are removed from the type.
@inline(__always)
func forEachAttribute(in payload: borrowing RawSpan, _ body: (UInt16, RawSpan) -> Void) -> Bool {
  var offset = 0
  let end = payload.byteCount
  while let length = payload.load(offset, as: UInt16.self).map(Int.init),
    let type = payload.load(offset + 2, as: UInt16.self)
  {
    guard length >= 4, length <= end - offset else { return false }
    body(type & 0x3fff, payload.extracting(offset + 4..<offset + length))
    offset += (length + 3) & ~3
  }
  return offset >= end
}
