@main struct RunPipe { static func main() {} }
