{{- define "blindray.labels" -}}
app.kubernetes.io/name: blindray
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end -}}

{{- define "blindray.selector" -}}
app.kubernetes.io/name: blindray
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{/* The options of the program: those of the values, and those of the chart, which win. */}}
{{- define "blindray.options" -}}
{{- $options := dict
  "model" (printf "/models/%s" .Values.model.file)
  "identity" "/etc/blindray/identity/identity.pem"
  "preparations-key" "/etc/blindray/preparations/preparations.key"
  "clients" "/etc/blindray/config/clients"
  "listen" "0.0.0.0:7700"
  "status" "0.0.0.0:7701"
  "status-exposed" true
  "audit" "/var/lib/blindray/audit.jsonl"
  "stop-after" (int .Values.drainSeconds)
-}}
{{- if .Values.secrets.model }}
{{- $_ := set $options "key-file" "/etc/blindray/model/model.key" }}
{{- end }}
{{- range $name, $value := mergeOverwrite (deepCopy .Values.options) $options }}
{{ $name }} = {{ toJson $value }}
{{- end }}
{{- end -}}
