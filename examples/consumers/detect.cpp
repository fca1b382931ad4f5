// Detect in C++ with ONNX Runtime alone: the file resizes, normalises and does NMS.
//
//   focalcli export --onnx --resize-inside --emit labels -o model.onnx
//   g++ -std=c++17 -O2 detect.cpp -I$ONNXRUNTIME/include -L$ONNXRUNTIME/lib -lonnxruntime -o detect
//   ./detect model.onnx labels.txt photo.ppm

#include <onnxruntime_cxx_api.h>

#include <array>
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <stdexcept>
#include <string>
#include <vector>

struct Photo {
  int64_t width, height;
  std::vector<uint8_t> planes;  // 3 x height x width
};

Photo read_ppm(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::string magic;
  int64_t width = 0, height = 0, most = 0;
  file >> magic >> width >> height >> most;
  file.get();
  if (magic != "P6" || most != 255 || width < 1 || height < 1) throw std::runtime_error(path + ": not a binary PPM");
  std::vector<uint8_t> rgb(3 * width * height), planes(rgb.size());
  file.read(reinterpret_cast<char*>(rgb.data()), static_cast<std::streamsize>(rgb.size()));
  if (!file) throw std::runtime_error(path + ": cut short");
  for (int64_t i = 0; i < width * height; ++i)
    for (int64_t c = 0; c < 3; ++c) planes[c * width * height + i] = rgb[3 * i + c];
  return {width, height, planes};
}

int main(int argc, char** argv) try {
  if (argc != 4) throw std::runtime_error("usage: detect model.onnx labels.txt photo.ppm");
  std::vector<std::string> names;
  std::ifstream labels_file(argv[2]);
  for (std::string line; std::getline(labels_file, line);) names.push_back(line);
  Photo photo = read_ppm(argv[3]);

  Ort::Env env(ORT_LOGGING_LEVEL_ERROR, "detect");
  Ort::Session session(env, argv[1], Ort::SessionOptions{});
  std::array<int64_t, 4> shape{1, 3, photo.height, photo.width};
  Ort::Value images = Ort::Value::CreateTensor<uint8_t>(
      Ort::MemoryInfo::CreateCpu(OrtArenaAllocator, OrtMemTypeDefault), photo.planes.data(), photo.planes.size(),
      shape.data(), shape.size());
  const char* inputs[] = {"images"};
  const char* outputs[] = {"num_dets", "boxes", "scores", "labels"};
  auto found = session.Run(Ort::RunOptions{nullptr}, inputs, &images, 1, outputs, 4);

  const int32_t count = found[0].GetTensorData<int32_t>()[0];
  const float* boxes = found[1].GetTensorData<float>();
  const float* scores = found[2].GetTensorData<float>();
  const int64_t* labels = found[3].GetTensorData<int64_t>();
  for (int32_t i = 0; i < count; ++i)
    std::printf("{\"box\": [%.3f, %.3f, %.3f, %.3f], \"score\": %.5f, \"class\": \"%s\"}\n", boxes[4 * i],
                boxes[4 * i + 1], boxes[4 * i + 2], boxes[4 * i + 3], scores[i], names.at(labels[i]).c_str());
  return 0;
} catch (const std::exception& error) {
  std::cerr << "error: " << error.what() << "\n";
  return 1;
}
