import SystemPackage

/// A file read as a whole, for configurations.
public enum WholeFile {
  /// Returns the bytes of the file at `path`, at most `limit` of them and one more, by which a longer file
  /// can be told.
  public static func read(_ path: String, limit: Int) throws(KernelError) -> [UInt8] {
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 65536)
    do throws(Errno) {
      let file = try OpenFile(path)
      while bytes.count <= limit {
        let count = try file.read(into: &buffer)
        if count == 0 { break }
        bytes += buffer[..<count]
      }
      return bytes
    } catch {
      throw .unreadable(path: path, error)
    }
  }
}
