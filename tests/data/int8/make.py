"""Small networks, quantised by onnxruntime.quantization, and what ONNX Runtime makes of images.

Usage: make.py FOLDER. NAME.onnx has QuantizeLinear and DequantizeLinear, NAME.own.onnx operators of integers. Each NAME.bin holds the pixels of 16 images of 3 x 8 x 8, and then the outputs as 32-bit floats.
Needs torch, onnx and onnxruntime.
"""
import numpy as np, onnx, sys, os, tempfile
import torch, torch.nn as nn
import onnxruntime as ort
from onnxruntime.quantization import quantize_static, QuantType, QuantFormat, CalibrationDataReader
torch.manual_seed(5)
OUT=sys.argv[1]
TMP=tempfile.mkdtemp()
MEAN,STD=0.5,0.25
def values(pix):
    return ((pix.astype(np.float64)/255-MEAN)/STD).astype(np.float32)
class Reader(CalibrationDataReader):
    def __init__(s, xs): s.it=iter([{ 'x':x[None]} for x in xs])
    def get_next(s): return next(s.it,None)
def cbr(i,o,k=3,s=1,g=1,relu=True,p=None):
    m=[nn.Conv2d(i,o,k,s,k//2 if p is None else p,groups=g),nn.BatchNorm2d(o)]
    if relu: m.append(nn.ReLU())
    return nn.Sequential(*m)
class Chain(nn.Module):
    def __init__(s):
        super().__init__(); s.f=nn.Sequential(cbr(3,8),cbr(8,8,s=2),nn.MaxPool2d(2),cbr(8,12,1),nn.Flatten(),nn.Linear(12*4,5))
    def forward(s,x): return s.f(x)
class Res(nn.Module):
    def __init__(s):
        super().__init__(); s.a=cbr(3,8); s.b=cbr(8,8); s.c=cbr(8,8,relu=False); s.d=cbr(8,8,1,relu=False); s.l=nn.Linear(8,4)
    def forward(s,x):
        x=s.a(x); y=s.c(s.b(x)); x=torch.relu(x+y); y=s.d(x); x=x+y
        return s.l(x.mean((2,3)))
class Mobile(nn.Module):
    def __init__(s):
        super().__init__(); s.a=cbr(3,8,s=2); s.e=nn.Sequential(nn.Conv2d(8,16,1),nn.ReLU6()); s.d=nn.Sequential(nn.Conv2d(16,16,3,1,1,groups=16),nn.ReLU6()); s.p=nn.Conv2d(16,8,1); s.l=nn.Linear(8,3)
    def forward(s,x):
        x=s.a(x); x=x+s.p(s.d(s.e(x))); x=nn.functional.adaptive_avg_pool2d(x,1); return s.l(torch.flatten(x,1))
class Pool(nn.Module):
    def __init__(s):
        super().__init__(); s.a=cbr(3,6); s.b=cbr(3,6,1,relu=False); s.p=nn.AvgPool2d(2); s.q=nn.AvgPool2d(3,2,1,count_include_pad=False); s.c=cbr(12,8); s.l=nn.Linear(8*4,3)
    def forward(s,x):
        x=torch.cat([s.a(x),s.b(x)],1); x=s.p(x); x=s.c(x); x=s.q(x); return s.l(torch.flatten(x,1))
class Gate(nn.Module):
    def __init__(s):
        super().__init__(); s.a=cbr(3,8,relu=False); s.d=nn.Conv2d(8,4,1); s.u=nn.Conv2d(4,8,1); s.l=nn.Linear(32,4)
    def forward(s,x):
        x=nn.functional.leaky_relu(s.a(x),0.125)
        x=x*torch.sigmoid(s.u(torch.relu(s.d(x.mean((2,3),keepdim=True)))))
        return s.l(torch.flatten(nn.functional.max_pool2d(x,4),1))
rng=np.random.default_rng(3)
def pixels(n):
    base=rng.integers(0,256,(n,3,2,2)).repeat(4,2).repeat(4,3)
    return np.clip(base+rng.integers(-60,61,(n,3,8,8)),0,255).astype(np.uint8)
calib=pixels(24); test=pixels(16)
U,I=QuantType.QUInt8,QuantType.QInt8
def nodes(m): return [n.op_type for n in m.graph.node]
for name,net,kw in [
  ('chain',Chain(),dict(activation_type=U,weight_type=I,per_channel=True)),
  ('residual',Res(),dict(activation_type=U,weight_type=I,per_channel=False)),
  ('mobile',Mobile(),dict(activation_type=I,weight_type=I,per_channel=True)),
  ('pools',Pool(),dict(activation_type=U,weight_type=U,per_channel=False)),
  ('gate',Gate(),dict(activation_type=U,weight_type=I,per_channel=True)),
]:
    net.train()
    with torch.no_grad():
        for _ in range(20): net(torch.from_numpy(values(pixels(32))))
        for m in net.modules():
            if isinstance(m,nn.BatchNorm2d):
                m.weight.uniform_(0.5,1.5); m.bias.uniform_(-.3,.3)
    net.eval()
    f=f'{TMP}/float.onnx'
    torch.onnx.export(net,torch.zeros(1,3,8,8),f,input_names=['x'],output_names=['y'],dynamo=False,opset_version=17)
    from onnxruntime.quantization.shape_inference import quant_pre_process
    quant_pre_process(f,f'{TMP}/prepared.onnx')
    for end,form in [('',QuantFormat.QDQ),('.own',QuantFormat.QOperator)][name=='gate':]:
        q=f'{OUT}/{name}{end}.onnx'
        quantize_static(f'{TMP}/prepared.onnx',q,Reader(values(calib)),quant_format=form,**kw)
        m=onnx.load(q)
        del m.metadata_props[:]
        for n in m.graph.node: n.doc_string=''; del n.metadata_props[:]
        del m.graph.value_info[:]
        onnx.save(m,q)
        def run(level):
            so=ort.SessionOptions(); so.log_severity_level=3; so.graph_optimization_level=level
            s=ort.InferenceSession(q,so,providers=['CPUExecutionProvider'])
            return np.stack([s.run(None,{'x':v[None]})[0][0] for v in values(test)])
        y=run(ort.GraphOptimizationLevel.ORT_ENABLE_ALL)
        y2=run(ort.GraphOptimizationLevel.ORT_DISABLE_ALL)
        open(f'{OUT}/{name}{end}.bin','wb').write(test.tobytes()+y.astype('<f4').tobytes())
        print(name+end,os.path.getsize(q),y.shape,'opt vs plain differ',(y!=y2).mean(),np.abs(y-y2).max(), np.unique(np.abs(np.diff(np.unique(y)))) [:1])
        print(nodes(m))
